"""Reading a streamed chat completion from bytes; no I/O, so that tests can split them anywhere."""

from typing import Any

import orjson

from server.errors import Upstream
from server.llm.bodies import MAX_REPLY
from server.llm.failures import BROKE_OFF, TOO_LARGE, UNREADABLE, reported
from server.llm.tools import CallParts

MAX_EVENT = 4 * 1024 * 1024


class EventParser:
    """Splits server-sent events out of bytes; gives the data of each event, and skips comments and fields."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []  # of an unfinished line, as it came: to join it each time is quadratic
        self._rest_size = 0
        self._data: list[bytes] = []
        self._data_size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes and return the data of the events that they complete; ValueError for an endless one."""
        if self._rest:
            if b"\n" not in data and b"\r" not in data and not self._rest[-1].endswith(b"\r"):
                self._hold(data)
                return []
            data = self._joined() + data
        if b"\r" in data:
            # A return at the very end may be half of a line end, so it waits for the next byte.
            half = data.endswith(b"\r")
            body = data[:-1] if half else data
            lines = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
            rest = lines.pop() + (b"\r" if half else b"")
        else:
            lines = data.split(b"\n")
            rest = lines.pop()
        events = self._events(lines)
        self._hold(rest)
        return events

    def end(self) -> list[bytes]:
        """Return what the end of the bytes completes: some endpoints leave the last blank line out."""
        return self._events([self._joined().rstrip(b"\r"), b""])

    def _hold(self, rest: bytes) -> None:
        """Keep what is not yet a line; with the event that it belongs to it must not grow for ever."""
        if rest:
            self._rest.append(rest)
            self._rest_size += len(rest)
        if self._rest_size + self._data_size > MAX_EVENT:
            raise ValueError("endless event")

    def _joined(self) -> bytes:
        rest = b"".join(self._rest)
        self._rest.clear()
        self._rest_size = 0
        return rest

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line.startswith(b" ", 5) else line[5:])
                self._data_size += len(line)
            elif not line and self._data:
                events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data.clear()
                self._data_size = 0
        return events


class ReplyParser:
    """Reads the text of one reply, with its usage and how it ended, from the bytes of a stream.

    `done` says that the reply is whole. `error` is what went wrong; text from before it is still returned.
    `calls` collects the calls of tools.
    """

    def __init__(self) -> None:
        self.done = False
        self.error: Upstream | None = None
        self.finish_reason = ""
        self.tokens: dict[str, Any] | None = None
        self.calls = CallParts()
        self._events = EventParser()
        self._size = 0

    def feed(self, data: bytes) -> str:
        """Take bytes and return the text in them; never raises, see `error`."""
        self._size += len(data)
        if self._size > MAX_REPLY:
            self.error = Upstream(TOO_LARGE)
            return ""
        try:
            events = self._events.feed(data)
        except ValueError:
            self.error = Upstream(UNREADABLE)
            return ""
        return self._read(events)

    def end(self) -> str:
        """Take the end of the stream and return the last text; without a finish the reply broke off."""
        text = self._read(self._events.end())
        if self.error is None and not self.done:
            self.done = bool(self.finish_reason)
            self.error = None if self.done else Upstream(BROKE_OFF)
        return text

    def _read(self, events: list[bytes]) -> str:
        texts: list[str] = []
        for event in events:
            if self.done or self.error is not None:
                break
            if event == b"[DONE]":
                self.done = True
                break
            try:
                self._chunk(orjson.loads(event), texts)
            except (ValueError, TypeError, AttributeError, KeyError, IndexError):
                self.error = Upstream(UNREADABLE)
            except Upstream as error:
                self.error = error
        return texts[0] if len(texts) == 1 else "".join(texts)

    def _chunk(self, chunk: dict[str, Any], texts: list[str]) -> None:
        if choices := chunk.get("choices"):
            choice = choices[0]
            if delta := choice.get("delta"):
                if text := delta.get("content") or delta.get("refusal"):
                    texts.append(text if isinstance(text, str) else text_of(text))
                if calls := delta.get("tool_calls"):
                    self.calls.add(calls)
            if reason := choice.get("finish_reason"):
                self.finish_reason = str(reason)
        if (usage := chunk.get("usage")) is not None:
            self.tokens = {**usage}
        if (error := chunk.get("error")) is not None:
            self.error = reported(error)


def text_of(content: object) -> str:
    """Return the text of a message's content, which is a string, nothing, or a list of parts."""
    if isinstance(content, list):
        parts = [p for p in content if isinstance(p, dict) and p.get("type") == "text"]
        return "".join(str(p.get("text", "")) for p in parts)
    return content if isinstance(content, str) else ""
