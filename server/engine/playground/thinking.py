"""Parts what a model thinks first, between its marks, from what it says."""

from server.engine.playground.grounding import THINKING, THOUGHT

MAX_THOUGHTS = 64_000  # characters; a model that thinks longer is taken to say all of it


class Thinking:
    """Takes a model's words as they come; `thoughts` is complete once the first word of the answer is."""

    def __init__(self) -> None:
        self.thoughts: str | None = None
        self._held: str | None = ""  # what may yet be thoughts; None once the answer has begun
        self._begun = False

    def take(self, text: str) -> str:
        """Return what is said of the next words; "" while it is not known, or thought."""
        if self._held is None:
            return self._said(text)
        self._held += text
        start = self._held.lstrip()
        if len(start) < len(THINKING) and THINKING.startswith(start):
            return ""
        if not start.startswith(THINKING) or len(start) > MAX_THOUGHTS:
            return self.rest()
        thoughts, found, answer = start[len(THINKING) :].partition(THOUGHT)
        if not found:
            return ""
        self.thoughts = thoughts.strip()
        self._held = None
        return self._said(answer)

    def rest(self) -> str:
        """Return what was held back when the model has ended: thoughts without an end are what it said."""
        held, self._held = self._held or "", None
        return self._said(held.lstrip().removeprefix(THINKING))

    def _said(self, text: str) -> str:
        if not self._begun:
            text = text.lstrip()
            self._begun = bool(text)
        return text
