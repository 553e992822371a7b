"""What is being said on a voice line: when it gives way to the agent, and how much was heard. No I/O."""

import time

from server.engine.evaluator.lines.line import Span

BARGE_SECONDS = 0.3  # of an agent that begins while we speak; less is a cough, or a yes
YIELD_SECONDS = 2.0  # of an agent into whose words we speak, and that does not stop
CHARS_A_SECOND = 16.0  # of speech that was not made to its end


class Saying:
    """One text on its way; once `barged` it has given way, and nothing more of it is sent."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._since: float | None = None  # its first sound, in seconds of the agent's
        self._began: float | None = None
        self._made = 0.0
        self._sent = 0.0
        self.complete = False  # whether all of its sound was made
        self.barged = False

    def made(self, seconds: float, *, at: float) -> bool:
        """Count sound that was made, `at` a time of the agent's sound; tell whether it is to be sent."""
        self._made += seconds
        if self.barged or not seconds:
            return False
        self._sent += seconds
        if self._since is None:
            self._since, self._began = at, time.monotonic()
        return True

    def gives_way(self, since: float, *, until: float) -> bool:
        """Tell whether it gives way to an agent that has spoken from one time to another."""
        if self._since is None:
            return False
        allowed = BARGE_SECONDS if since >= self._since else YIELD_SECONDS
        return until - max(since, self._since) > allowed

    def span(self, *, unsent: float) -> Span:
        """Return what was heard of it, when so many seconds of what was to be sent were not."""
        whole = self._made if self.complete else max(self._made, len(self._text) / CHARS_A_SECOND)
        heard = self._sent - unsent
        cut = self.barged and heard < whole
        now = time.monotonic()
        return Span(
            began=now if self._began is None else self._began,
            ended=now,
            text=_cut(self._text, heard / whole) if cut else self._text,
            cut=cut,
        )


def _cut(text: str, share: float) -> str:
    """Return about the share of a text that was heard, in whole words."""
    words = text.split()
    return " ".join(words[: max(0, round(len(words) * share))])
