"""What a model writes for people is shown only when it says something of its own."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from schemas.attempt import Message
from schemas.content import Scenario
from server.engine.grading.fields import clean

RUN = 40  # characters in a row that nobody writes twice by chance
MARK_RUN = 8  # models shorten and misspell the mark
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ud7ff"  # scripts that put no spaces between words
_WORD = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])\w)+")
_DELIMITER = re.compile(r"<<\s*(data|end|wishes)\b", re.IGNORECASE)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Sieve:
    """Holds back texts that say nothing, or repeat what only the model was to read.

    `prompt` is what we and the author tell the model, `private` what only the persona knows. Private words
    that the transcript holds were said to the learner, so quoting them gives nothing away.
    """

    mark: str
    prompt: Sequence[str]
    private: Sequence[str] = ()
    transcript: Sequence[Message] = ()

    @classmethod
    def around(
        cls,
        scenario: Scenario | None,
        *,
        mark: str,
        prompt: Sequence[str],
        private: Sequence[str] = (),
        transcript: Sequence[Message] = (),
    ) -> "Sieve":
        """Return the sieve of a call: the scenario adds its guidance for hints and its situation."""
        guidance, situation = (scenario.hint_guidance, scenario.situation) if scenario else ("", "")
        return cls(
            mark=mark,
            prompt=[plain(text) for text in (*prompt, guidance)],
            private=[plain(text) for text in (*private, situation)],
            transcript=transcript,
        )

    def keep(self, text: str, *, words: int = 2) -> str:
        """Return the text without control characters, or "" when it has fewer words or must not be shown."""
        shown = clean(text)
        found = plain(shown)
        if len(found.split()) < words or not any(map(str.isalpha, found)):
            return ""
        return "" if _DELIMITER.search(shown) or self._marked(found) or self._copied(found) else shown

    def keep_each(self, texts: Iterable[str]) -> list[str]:
        """Return the texts that may be shown, each once."""
        return distinct((kept for kept in map(self.keep, texts) if kept), key=str)

    def _marked(self, found: str) -> bool:
        solid = found.replace(" ", "")
        return any(run in solid for run in _runs(self.mark, MARK_RUN))

    def _copied(self, found: str) -> bool:
        # A guidance of one word is a topic that every good hint names, so only longer ones count as a whole.
        short = (text for text in self.prompt if len(text) < RUN and " " in text)
        if any(f" {text} " in f" {found} " for text in short):
            return True
        runs = _runs(found, RUN)
        if any(run in text for text in self.prompt for run in runs):
            return True
        leaked = [run for run in runs if any(run in text for text in self.private)]
        if not leaked:
            return False
        said = [plain(message.content) for message in self.transcript]
        return not all(any(run in text for text in said) for run in leaked)


def plain(text: str) -> str:
    """Return the words of a text in lower case with one space between, for comparing."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def distinct(items: Iterable[T], *, key: Callable[[T], str]) -> list[T]:
    """Return the items whose keys differ in their words, the first of each."""
    found: dict[str, T] = {}
    for item in items:
        found.setdefault(plain(key(item)), item)
    return list(found.values())


def _runs(text: str, length: int) -> list[str]:
    return [text[start : start + length] for start in range(len(text) - length + 1)]
