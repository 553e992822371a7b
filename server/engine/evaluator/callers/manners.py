"""The manners of a caller whom a model plays: what it may say, and when it may hang up.

Models end calls too early, together with a question, or never. Only what a model itself calls for by its
tool ends a call in the ordinary way; what is read in its words here only keeps it from hanging up before it
was answered, or from saying goodbye for ever.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from server.engine.evaluator.callers.caller import EndCall, Say, Turn

MAX_SAID = 16_000  # characters of one turn
MAX_DEFERRED = 2  # turns in a row in which a model hangs up while it asks something
SAME = 3  # times in a row that a caller says the same
FAREWELLS = 2  # among the last three things that a caller says
TURNS_WITHOUT_TOOLS = 15  # of a caller whose model cannot hang up by itself
ECHO = 40  # characters from which saying what the other has just said is an echo
EMPTY = "Your last answer was empty. Answer with what you, the caller, say next."
ECHOED = "Your last answer repeated the other side. You are the caller: answer with your own words."
EARLY = (
    "You wanted to hang up, but you have not yet said what you call for, or it was not answered."
    " Answer with what you, the caller, say next."
)
LONG = 400  # characters from which a text says more than goodbye
_QUESTION = re.compile("[?\uff1f\u061f\u037e\u055e\u1367]")
_WORD = re.compile(r"\w+")
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_TOOL = re.compile(r"\bend_?call\b", re.IGNORECASE)
_OPENED = re.compile(r'(?:<tool_call>|```\w*|functions\.|"(?:name|type|function)"|["\s{\[(<`*_:])+$')
_NEAR = 60  # characters before the name of the tool that may belong to its call
_OURS = re.compile(r"\**(?:testing agent|caller|customer|you|me)\**\s?:\**", re.IGNORECASE)
_THEIRS = re.compile(r"^[ \t]*\**(?:main agent|agent|assistant|the other person)\**:", re.IGNORECASE | re.M)
_GOODBYE = re.compile(
    r"\b(?:good ?bye|bye|farewell|take care(?! of)|see you"
    r"|have an? (?:great|good|nice|wonderful|lovely|pleasant) (?:day|evening|night|weekend|one)"
    r"|tsch[üu](?:ss|ß)|tschau|auf wieder(?:sehen|hören)|sch[öo]nen (?:tag|abend)"
    r"|au revoir|bonne (?:journ[ée]e|soir[ée]e)|[àa] bient[ôo]t|adi[óo]s|hasta (?:luego|pronto)"
    r"|arrivederci|buona giornata|tchau|adeus|at[ée] logo|tot ziens|doei|fijne dag"
    r"|do widzenia|na razie|na shledanou|viszlát|la revedere|hej då|farvel|näkemiin"
    r"|hoşça ?kal(?:ın)?|görüşürüz|до свидания|до побачення|αντίο)(?!\w)"
    r"|再见|再見|拜拜|さようなら|안녕히|مع السلامة|להתראות|अलविदा",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a model came up with; `waits` says that by its own word something is still unanswered."""

    text: str
    ends: bool = False
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SoFar:
    """How far a call is: what the caller said, and what it heard since.

    `asked` says that it has said what it calls for and heard an answer; `deferred` counts the turns in a row
    in which it wanted to hang up and was not let. Without `tools` a goodbye of either side is the wish to
    hang up.
    """

    mine: Sequence[str]
    heard: str
    asked: bool
    tools: bool = True
    deferred: int = 0


@dataclass(frozen=True, slots=True)
class Again:
    """The model has to answer again; `note` says why, `may_end` whether it may hang up this time."""

    note: str
    may_end: bool


def decide(spoken: Spoken, so_far: SoFar) -> Turn | Again:
    """Return what the caller does, given what its model came up with."""
    text, leaked = cleaned(spoken.text)
    if not so_far.tools:
        text = text.split("\n\n")[0]  # such models do not find an end
    if len(text) >= ECHO and _plain(text) == _plain(so_far.heard):
        return Again(ECHOED, may_end=so_far.asked)
    goodbye = is_goodbye(text)
    ends = spoken.ends or leaked
    if not so_far.asked and ends:
        return (Say(text),) if text and not goodbye else Again(EARLY, may_end=False)
    if enough([*so_far.mine, text]) or (not so_far.tools and len(so_far.mine) >= TURNS_WITHOUT_TOOLS):
        return _last(text)
    leaves = not so_far.tools and so_far.asked and (goodbye or is_goodbye(so_far.heard))
    if ends or leaves:
        return _ended(text, waits=spoken.waits, deferred=so_far.deferred)
    return (Say(text),) if text else Again(EMPTY, may_end=so_far.asked)


def _ended(text: str, *, waits: bool, deferred: int) -> Turn | Again:
    """Hang up, unless something that the caller asked, or asks with this, is still unanswered."""
    if deferred < MAX_DEFERRED:
        if waits and not text:
            return Again(EARLY, may_end=False)
        if waits or asks(text):
            return (Say(text),)
    return _last(text)


def _last(text: str) -> Turn:
    """Hang up with these words, or without them where they ask for an answer that nobody will hear."""
    return (Say(text), EndCall()) if text and not asks(text) else (EndCall(),)


def enough(said: Sequence[str]) -> bool:
    """Tell whether somebody who has said this goes round in circles, or says goodbye again and again."""
    if not said or not said[-1]:
        return False
    same = {_plain(text) for text in said[-SAME:]}
    return keeps_leaving(said) or (len(said) >= SAME and len(same) == 1)


def keeps_leaving(said: Sequence[str]) -> bool:
    """Tell whether somebody who has said this says goodbye, and not for the first time lately."""
    goodbyes = sum(is_goodbye(text) for text in said[-3:])
    return bool(said) and is_goodbye(said[-1]) and goodbyes >= FAREWELLS


def is_goodbye(text: str) -> bool:
    """Tell whether a text takes leave, in one of some twenty languages, and asks nothing."""
    return len(text) < LONG and not asks(text) and _GOODBYE.search(text) is not None


def asks(text: str) -> bool:
    """Tell whether a text has a question."""
    return _QUESTION.search(text) is not None


def is_greeting(text: str) -> bool:
    """Tell whether a first message says nothing yet of what somebody calls for."""
    return not asks(text) and len(text) <= 20 and len(_WORD.findall(text)) <= 3


def cleaned(text: str) -> tuple[str, bool]:
    """Return a model's words as they are said, and whether a call of the tool was written among them.

    The name of whoever speaks goes, and all that the model makes the other side say.
    """
    words, leaked = _THOUGHT.sub("", text[: MAX_SAID * 4]).strip(), False
    if label := _OURS.match(words):
        words = words[label.end() :]
    if call := _TOOL.search(words):
        words, leaked = _before(words[: call.start()]), True
    if other := _THEIRS.search(words):
        words = words[: other.start()]
    words = words.strip()
    if words.count('"') == 2 and words[0] == words[-1] == '"':
        words = words[1:-1].strip()
    return words[:MAX_SAID], leaked


def _before(words: str) -> str:
    """Return words without the beginning of a call that was written after them."""
    opened = _OPENED.search(words[-_NEAR:])
    return words[: len(words) - len(opened[0])] if opened else words


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))
