"""Cuts a text that still comes into what is said at once. No I/O."""

import re

FIRST_COMMA = 60  # characters after which the first one may end at a comma
LONG = 160  # characters after which any may
LONGEST = 300
_ENDS = re.compile(r"[.?!…]+[\"'”’)\]]*(?=\s)|\n+")
_FIRST_ENDS = re.compile(r"[.?!…:;]+[\"'”’)\]]*(?=\s)|\n+")
_PAUSES = re.compile(r"[,:;–—][\"'”’)\]]*(?=\s)|[–—]")
# what ends with a dot before a sentence does: a title, an initial, the number of a list
_NO_END = re.compile(r"(?:^|[\s(])(?:mr|mrs|ms|dr|prof|st|vs|etc|e\.g|i\.e|no|[a-z]|\d+)\.$", re.IGNORECASE)


class SentenceCutter:
    """Returns sentences as they become whole; together they are the text, character by character."""

    def __init__(self) -> None:
        self._text = ""
        self._first = True

    def feed(self, text: str) -> list[str]:
        """Take some text, and return the sentences that are whole."""
        self._text += text
        whole = []
        while end := self._end():
            whole.append(self._text[:end])
            self._text = self._text[end:]
            self._first = self._first and not any(letter.isalnum() for letter in whole[-1])
        return whole

    def flush(self) -> list[str]:
        """Return what is left when nothing more comes."""
        left, self._text = self._text, ""
        return [left] if left else []

    def _end(self) -> int:
        """Return where the first sentence ends, 0 while it does not."""
        for found in (_FIRST_ENDS if self._first else _ENDS).finditer(self._text):
            before = self._text[: found.end()]
            if any(letter.isalnum() for letter in before) and not _NO_END.search(before):
                return self._with_space(found.end())
        least = FIRST_COMMA if self._first else LONG
        for found in _PAUSES.finditer(self._text, least):
            return self._with_space(found.end())
        if len(self._text) > LONGEST:
            return self._with_space(max(self._text.rfind(" ", 1, LONGEST), 0) or LONGEST)
        return 0

    def _with_space(self, end: int) -> int:
        return end + len(self._text[end:]) - len(self._text[end:].lstrip())
