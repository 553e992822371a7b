"""Tags in what a caller says literally: they act, and are not said."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from server.engine.evaluator.callers.caller import EndCall, Press, Say, Silence, Step, Turn

MAX_SILENCE = 300.0  # seconds; the agent is given up after as long
TEXT_TAGS = ("endcall", "silence")
VOICE_TAGS = ("hold", "dtmf", "speed", "volume")
_TAG = re.compile(
    r"<(?P<name>[a-zA-Z_]+)(?P<given>(?:\s+[a-zA-Z_]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'))*)\s*(?P<closed>/?)>"
)
_BROKEN = re.compile(rf"</?\s*(?:{'|'.join((*TEXT_TAGS, *VOICE_TAGS))})\b[^<>]*>?", re.IGNORECASE)
_GIVEN = re.compile(r"([a-zA-Z_]+)\s*=\s*[\"']([^\"']*)[\"']")
_DIGITS = re.compile(r"[0-9*#A-Da-d]{1,32}")
_NUMBER = re.compile(r"\d{1,2}(?:\.\d{1,3})?")
_RATIOS = (0.25, 4.0)
_TIME = re.compile(r"\s*(\d{1,6}(?:\.\d{1,3})?)\s*(ms|s)?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Tag:
    name: str
    given: dict[str, str]
    start: int
    end: int


def steps_of(text: str) -> Turn:
    """Return what a caller does who says a text with its tags; what follows an end is not said.

    The text has been looked through by `problems`; tags that do not act in a text are left out.
    """
    steps: list[Step] = []
    manner = _Manner()
    at = 0
    for tag in _tags(text):
        manner.say(steps, text[at : tag.start])
        at = tag.end
        match tag.name:
            case "endcall":
                return (*steps, EndCall())
            case "silence" | "hold" if (seconds := _seconds(tag)) is not None:
                steps.append(Silence(seconds))
            case "dtmf":
                steps.append(Press(tag.given.get("digits", "")))
            case "speed" | "volume" if (ratio := _ratio(tag)) is not None:
                setattr(manner, tag.name, ratio)
    manner.say(steps, text[at:])
    return tuple(steps)


def split(text: str) -> tuple[str, bool]:
    """Return a text without its tags, and whether it ends the call."""
    words, at, ends = [], 0, False
    for tag in _tags(text):
        words.append(text[at : tag.start])
        at, ends = tag.end, ends or tag.name == "endcall"
    return " ".join("".join([*words, text[at:]]).split()), ends


def problems(text: str, *, as_text: bool) -> list[str]:
    """Return what is wrong with the tags of a text, and which do not act when there is no voice."""
    if "<" not in text:
        return []
    found: list[str] = []
    tags = list(_tags(text))
    for tag in tags:
        found += _problems(tag, as_text=as_text)
    rest = "".join(_between(text, tags))
    for broken in _BROKEN.finditer(rest):
        found.append(
            f'`{broken[0][:60]}` cannot be read; a tag looks like <endcall/> or <silence time="2s"/>.'
        )
    ends = [tag.end for tag in tags if tag.name == "endcall"]
    if ends and text[ends[0] :].strip():
        found.append("Nothing can follow <endcall/>: the call is over then.")
    return found


def _problems(tag: _Tag, *, as_text: bool) -> list[str]:
    if tag.name in VOICE_TAGS:
        if as_text:
            return [f"<{tag.name}/> acts in voice runs only; take it out to run this as text."]
        return _voice_problems(tag)
    if tag.name not in TEXT_TAGS:
        known = ", ".join(f"<{name}/>" for name in (*TEXT_TAGS, *VOICE_TAGS))
        return [f"<{tag.name}/> is not a tag that callers know; there are {known}."]
    if tag.name == "silence" and _seconds(tag) is None:
        return [f'<silence/> takes its time in seconds, up to {MAX_SILENCE:g}, such as <silence time="2s"/>.']
    return []


def _voice_problems(tag: _Tag) -> list[str]:
    if tag.name == "hold" and _seconds(tag) is None:
        return [f'<hold/> takes its time in seconds, up to {MAX_SILENCE:g}, such as <hold time="5s"/>.']
    if tag.name == "dtmf" and not _DIGITS.fullmatch(tag.given.get("digits", "")):
        return ['<dtmf/> takes the keys to press: up to 32 of 0-9, *, #, A-D, such as <dtmf digits="12#"/>.']
    if tag.name in ("speed", "volume") and _ratio(tag) is None:
        least, most = _RATIOS
        return [f'<{tag.name}/> takes a ratio from {least:g} to {most:g}, such as <{tag.name} ratio="1.2"/>.']
    return []


def _tags(text: str) -> Iterator[_Tag]:
    """Yield the tags that close themselves; whatever else looks like one is words."""
    for found in _TAG.finditer(text):
        if found["closed"]:
            given = {name.lower(): value for name, value in _GIVEN.findall(found["given"])}
            yield _Tag(found["name"].lower(), given, found.start(), found.end())


def _between(text: str, tags: list[_Tag]) -> Iterator[str]:
    at = 0
    for tag in tags:
        yield text[at : tag.start]
        at = tag.end
    yield text[at:]


def _seconds(tag: _Tag) -> float | None:
    found = _TIME.fullmatch(tag.given.get("time", ""))
    if found is None:
        return None
    seconds = float(found[1]) / (1000 if (found[2] or "").lower() == "ms" else 1)
    return seconds if 0 < seconds <= MAX_SILENCE else None


def _ratio(tag: _Tag) -> float | None:
    given = tag.given.get("ratio", tag.given.get("level", "1" if tag.name == "volume" else ""))
    if not _NUMBER.fullmatch(given):
        return None
    least, most = _RATIOS
    return float(given) if least <= float(given) <= most else None


@dataclass
class _Manner:
    """How what follows is said."""

    speed: float = 1.0
    volume: float = 1.0

    def say(self, steps: list[Step], words: str) -> None:
        if words.strip():
            steps.append(Say(words.strip(), speed=self.speed, volume=self.volume))
