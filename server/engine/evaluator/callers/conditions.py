"""Conditions that need no model: `contains "x"`, joined by AND, OR and parentheses."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

MAX_TOKENS = 200
_CONTAINS = re.compile(r"[\s(]*(?:contains\b|contain\w*\s*[\"'“])", re.IGNORECASE)
_BEGINS_QUOTED = re.compile(r"[\s(]*[\"'“]")
# in prose there are apostrophes, and words between marks are joined by a small `and`
_QUOTED = re.compile(r"""\"(?:[^\"\\]|\\.)*\"|“[^”]*”|(?<!\w)'(?:[^'\\]|\\.)*'(?!\w)""")
_JOINED = re.compile(r"\"[\s)]*(?:AND|OR)\b|\b(?:AND|OR)[\s(]*\"")
_TOKEN = re.compile(
    r'\s*(?:(?P<word>contains|and|or)\b|(?P<paren>[()])|"(?P<double>(?:[^"\\]|\\.)*)"'
    r"|'(?P<single>(?:[^'\\]|\\.)*)'|“(?P<curly>[^”]*)”)",
    re.IGNORECASE,
)
_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")  # as models write them
_ESCAPED = re.compile(r"\\(.)")
Test = Callable[[str], bool]


class BadConditionError(ValueError):
    """The condition cannot be read; the text says why, for people."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # contains, and, or, (, ), text, end
    text: str
    at: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else f"`{self.text[:40]}` (character {self.at + 1})"


def is_contains(condition: str) -> bool:
    """Tell whether a condition is meant as one of these; all others are prose, which a model decides.

    It begins with `contains`, or is nothing but texts in quotes, or joins one by AND or OR in capitals; that
    it can be read is another question.
    """
    if _CONTAINS.match(condition) or _JOINED.search(_QUOTED.sub('""', condition)):
        return True
    return _BEGINS_QUOTED.match(condition) is not None and _can_be_read(condition)


def _can_be_read(condition: str) -> bool:
    try:
        compiled(condition)
    except BadConditionError:
        return False
    return True


@lru_cache(maxsize=4_096)
def compiled(condition: str) -> Test:
    """Return the test of a condition on what an agent said; raises BadConditionError.

    AND binds more strongly than OR. A further text may stand without its own `contains`. Case, the form of
    quotation marks and how words are spaced do not matter.
    """
    reader = _Reader(_tokens(condition))
    test = reader.either()
    if reader.next.kind != "end":
        raise BadConditionError(f"AND, OR or the end should stand in place of {reader.next}.")
    return lambda said: test(_plain(said))


def _plain(text: str) -> str:
    return " ".join(text.translate(_QUOTES).casefold().split())


def _tokens(condition: str) -> list[_Token]:
    tokens, at, end = [], 0, len(condition.rstrip())
    while at < end:
        found = _TOKEN.match(condition, at)
        if found is None:
            rest = condition[at:].lstrip()
            raise BadConditionError(
                f"`{rest[:40]}` cannot be read at character {end - len(rest.rstrip()) + 1}: write"
                ' contains "text", joined by AND, OR and parentheses; in prose they are written small.'
            )
        tokens.append(_token(found))
        at = found.end()
        if len(tokens) > MAX_TOKENS:
            raise BadConditionError(f"It has more than {MAX_TOKENS} parts.")
    return [*tokens, _Token("end", "", end)]


def _token(found: re.Match[str]) -> _Token:
    at, raw = found.start() + len(found[0]) - len(found[0].lstrip()), found[0].strip()
    if (word := found["word"]) is not None:
        return _Token(word.lower(), raw, at)
    if found["paren"] is not None:
        return _Token(raw, raw, at)
    text = next(part for part in (found["double"], found["single"], found["curly"]) if part is not None)
    return _Token("text", _ESCAPED.sub(r"\1", text), at)


class _Reader:
    """Reads tokens by the grammar: either = both {OR both}, both = one {AND one}."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def next(self) -> _Token:
        return self._tokens[self._at]

    def either(self) -> Test:
        tests = [self._both()]
        while self._took("or"):
            tests.append(self._both())
        return lambda said: any(test(said) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._took("and"):
            tests.append(self._one())
        return lambda said: all(test(said) for test in tests)

    def _one(self) -> Test:
        if self._took("("):
            test = self.either()
            if not self._took(")"):
                raise BadConditionError(f"A closing parenthesis should stand in place of {self.next}.")
            return test
        self._took("contains")
        token = self.next
        if token.kind != "text":
            raise BadConditionError(
                f'A text in quotes, such as contains "yes", should stand instead of {token}.'
            )
        self._at += 1
        wanted = _plain(token.text)
        if not wanted:
            raise BadConditionError(f"The text at character {token.at + 1} is empty: it would always hold.")
        return lambda said: wanted in said

    def _took(self, kind: str) -> bool:
        if self.next.kind != kind:
            return False
        self._at += 1
        return True
