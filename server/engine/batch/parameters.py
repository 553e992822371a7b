"""How well the parameters of a call agree with those that a case expects."""

import json
import re
from collections.abc import Callable, Mapping

from schemas.batch import ParameterMatch
from schemas.envelope import JsonObject

NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
LONGEST_NUMBER = 400  # characters; what is longer is text
BFCL_IGNORED = re.compile(r"[ ,./\-_*^]")
MAY_BE_LEFT_OUT = ""  # among the accepted values of the bfcl rule

Rule = Callable[[object, object], bool]


class _Missing:
    """Stands for a parameter that was not given: null is a value."""


MISSING = _Missing()


def mapped_percentage(expected: JsonObject | None, given: JsonObject, mode: ParameterMatch) -> float:
    """Return how many of the expected parameters a call has, in percent with 2 decimals.

    Nothing expected is 100; parameters that are not expected cost nothing. `exact`: names are equal, and
    values are equal JSON or scalars with the same text. `loose`: also see `loosely_equal`; names without
    regard to case, `_` and `-`. `bfcl`: names are equal, values by `accepted`.
    """
    if not expected:
        return 100.0
    find = _find_loosely if mode == "loose" else _find
    matched = sum(_agrees(value, find(given, name), RULES[mode]) for name, value in expected.items())
    return round(100 * matched / len(expected), 2)


def exactly_equal(expected: object, given: object) -> bool:
    """Tell whether two values are equal JSON, or scalars with the same text: 5 = "5" = 5.0, true = "true".

    Only the value itself may be text in one place and not in the other: inside of lists and objects 5 and
    "5" differ, for there the case says what it wants.
    """
    return _equal_json(expected, given) or _same_text(expected, given)


def loosely_equal(expected: object, given: object) -> bool:
    """Tell whether two values are equal but for case, white space and a final s, at every depth.

    "T shirt" = " t  shirts"; names inside of objects are compared as those of parameters.
    """
    if isinstance(expected, Mapping) and isinstance(given, Mapping):
        found = [_find_loosely(given, name) for name in expected]
        pairs = zip(expected.values(), found, strict=True)
        return len(expected) == len(given) and all(loosely_equal(*pair) for pair in pairs)
    if isinstance(expected, list) and isinstance(given, list):
        pairs = zip(expected, given, strict=False)
        return len(expected) == len(given) and all(loosely_equal(*pair) for pair in pairs)
    expected, given = _folded(expected), _folded(given)
    if isinstance(expected, str) and isinstance(given, str):
        short, long = sorted((expected, given), key=len)
        return short == long or (short[-1:].isalpha() and short + "s" == long)
    return exactly_equal(expected, given)


def accepted(options: object, given: object) -> bool:
    """Tell whether a value is one of those that a case accepts, by the rule of the Berkeley leaderboard.

    The rule is that of the AST check of the Berkeley Function Calling Leaderboard (Patil et al., "The
    Berkeley Function Calling Leaderboard", ICML 2025; ShishirPatil/gorilla, `ast_checker.py`, for Python):
    a parameter has a list of accepted values, and "" among them lets it be left out. Strings are compared in
    lower case, without spaces and `,./-_*^`, single quotes as double quotes. An int stands for a float, not
    the reverse, and a bool is no number. Lists have the same length and order; each property of an object
    has a list of accepted values again, and no others are there. Declared types are not looked at: the
    accepted values show them. A lone value is taken as a list of one.
    """
    choices = options if isinstance(options, list) else [options]
    if isinstance(given, _Missing):
        return MAY_BE_LEFT_OUT in choices
    only_text = all(isinstance(choice, str) for choice in choices)
    return any(_accepts(choice, given) for choice in choices if choice != MAY_BE_LEFT_OUT or only_text)


RULES: dict[ParameterMatch, Rule] = {"exact": exactly_equal, "loose": loosely_equal, "bfcl": accepted}


def _agrees(expected: object, given: object, rule: Rule) -> bool:
    try:
        return rule(expected, given)
    except RecursionError:  # both are nested deeper than anything that is meant
        return False


def _find(given: Mapping[str, object], name: str) -> object:
    return given.get(name, MISSING)


def _find_loosely(given: Mapping[str, object], name: str) -> object:
    """Return the value of the name, else of one that differs in case, `_` and `-` only."""
    if name in given:
        return given[name]
    wanted = _plain(name)
    return next((value for key, value in given.items() if _plain(key) == wanted), MISSING)


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")


def _equal_json(one: object, other: object) -> bool:
    """Tell whether two values are the same JSON; to Python True is 1, to JSON it is not."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal_json, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _same_text(one: object, other: object) -> bool:
    """Tell whether a text is what the other value is as JSON."""
    if isinstance(one, str) == isinstance(other, str):
        return False
    text, value = (one, other) if isinstance(one, str) else (other, one)
    if isinstance(value, bool):
        return text == json.dumps(value)
    return isinstance(value, int | float) and isinstance(text, str) and _number(text) == value


def _number(text: str) -> int | float | None:
    if len(text) > LONGEST_NUMBER or not NUMBER.fullmatch(text):
        return None
    number = json.loads(text)
    return number if isinstance(number, int | float) else None


def _folded(value: object) -> object:
    return " ".join(value.casefold().split()) if isinstance(value, str) else value


def _accepts(choice: object, given: object) -> bool:
    """Tell whether a value is this one of the accepted values."""
    if isinstance(choice, str):
        return isinstance(given, str) and _bare(choice) == _bare(given)
    if isinstance(choice, list):
        if not isinstance(given, list) or len(choice) != len(given):
            return False
        return all(map(_accepts, choice, given))
    if isinstance(choice, dict):
        if not isinstance(given, dict) or not given.keys() <= choice.keys():
            return False
        return all(accepted(options, _find(given, name)) for name, options in choice.items())
    if isinstance(choice, int) and isinstance(given, float):
        return False
    return _equal_json(choice, given)


def _bare(text: str) -> str:
    return BFCL_IGNORED.sub("", text).lower().replace("'", '"')
