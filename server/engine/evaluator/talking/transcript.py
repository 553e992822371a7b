"""The transcript of a run: what was said and called, within bounds, and as lines for people."""

from collections.abc import Iterable

import orjson

from schemas.envelope import JsonObject
from schemas.evaluator_run import Speaker, TranscriptItem
from server.engine.evaluator.lines.frames import MAX_SHOWN, cut
from server.engine.evaluator.lines.line import Called

MAX_BYTES = 2_000_000  # of what an agent says and of the data of its functions, in one run
MAX_ITEMS = 2_000  # of agents; the caller's own are bounded by its turns
LEFT_OUT = "[left out, and so is what follows: the transcript of a run has no more room]"


class Transcript:
    """Collects the items of one run; what is beyond the bounds is left out, and one item says so."""

    def __init__(self, *, begun: float) -> None:
        self.items: list[TranscriptItem] = []
        self._begun = begun
        self._room = MAX_BYTES
        self._places = MAX_ITEMS
        self._names: dict[str, str] = {}  # of functions, by the ids of their calls

    def caller_said(self, text: str, at: float, *, ended: float | None = None) -> TranscriptItem:
        """Add what the caller said."""
        return self._add("Testing Agent", cut(text), at, ended=ended)

    def agent_said(self, text: str, at: float, *, ended: float | None = None) -> TranscriptItem | None:
        """Add what the agent said; None when it was left out."""
        return self._bounded("Main Agent", text, at, ended=ended)

    def agent_called(self, called: Called) -> TranscriptItem | None:
        """Add a function frame; a result without a name has that of its call. None when it was left out."""
        data = called.data
        place = str(data.get("id"))[:MAX_SHOWN]
        if called.role == "Function Call":
            self._name(place, data.get("name"))
        elif "name" not in data and place in self._names:
            data = {**data, "name": self._names[place]}
        return self._bounded(called.role, _words(called.role, data), called.at, data=data)

    def seconds(self, at: float) -> float:
        """Return a time as seconds since the connection."""
        return round(max(0.0, at - self._begun), 3)

    def _name(self, place: str, name: object) -> None:
        if isinstance(name, str) and len(self._names) < MAX_ITEMS:
            self._names[place] = name[:MAX_SHOWN]

    def _bounded(
        self,
        role: Speaker,
        content: str,
        at: float,
        *,
        data: JsonObject | None = None,
        ended: float | None = None,
    ) -> TranscriptItem | None:
        if self._places <= 0:
            return None
        size = len(content.encode()) + (len(orjson.dumps(data)) if data else 0)
        self._places -= 1
        self._room -= size
        if self._room < 0 or self._places == 0:
            self._places = 0
            return self._add(role, LEFT_OUT, at)
        return self._add(role, content, at, data=data, ended=ended)

    def _add(
        self,
        role: Speaker,
        content: str,
        at: float,
        *,
        data: JsonObject | None = None,
        ended: float | None = None,
    ) -> TranscriptItem:
        start = self.seconds(at)
        end = start if ended is None else self.seconds(ended)
        item = TranscriptItem(
            role=role, content=content, start_time=start, end_time=end, time=clock(start), data=data
        )
        self.items.append(item)
        return item


def lines(items: Iterable[TranscriptItem]) -> str:
    """Return a transcript as lines, `[00:01] Testing Agent: …`; further lines of a text are indented."""
    return "\n".join(f"[{item.time}] {item.role}: {_indented(item.content)}" for item in items)


def clock(seconds: float) -> str:
    """Return seconds as MM:SS."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02}:{rest:02}"


def _indented(text: str) -> str:
    return "\n    ".join(text.splitlines())  # so that no text passes for a line of somebody else


def _words(role: Speaker, data: JsonObject) -> str:
    if role == "Function Call":
        return cut(f"{_plain(data.get('name', '?'))}({_plain(data.get('arguments', ''))})")
    return cut(_plain(data.get("result", data)))


def _plain(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
