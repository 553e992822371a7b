"""What a recorded conversation is before it belongs to a benchmark, and what is wrong with one."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import ValidationError

from schemas.content import RecordedMessage, RecordedRun, Tool
from schemas.envelope import Id
from server.engine.ids import derive

Record = dict[str, Any]
NAME_LENGTH = 80


class Malformed(Exception):
    """A record is not what its format says; the message tells where in it and what."""


class BadRecord(NamedTuple):
    """A record that cannot be read; lines count from 1."""

    line: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A conversation that was read, with the tools that were offered to the assistant in it."""

    line: int
    name: str
    messages: list[RecordedMessage]
    tools: list[Tool]

    def run(self, benchmark_id: Id) -> RecordedRun:
        """Return it as a run of a benchmark; the same conversation has the same id every time."""
        said = "\x1e".join(m.model_dump_json(exclude_defaults=True) for m in self.messages)
        return RecordedRun(
            id=derive("recorded", benchmark_id, said), name=self.name or self._title(), messages=self.messages
        )

    def called(self) -> set[str]:
        """Return the names of the tools that were called."""
        return {call.name for message in self.messages for call in message.tool_calls}

    def _title(self) -> str:
        """Return the beginning of what the user said first."""
        said = next((m.content for m in self.messages if m.role == "user"), "")
        line = " ".join(said.split())
        return (line if len(line) <= NAME_LENGTH else line[: NAME_LENGTH - 1].rstrip() + "…") or "Untitled"


def checked(line: int, name: object, *, messages: list[Record], tools: list[Tool]) -> Recording:
    """Return a recording of messages that fit the model; raises Malformed naming the first that does not."""
    title = " ".join(name.split())[:200] if isinstance(name, str) else ""
    try:
        found = [RecordedMessage.model_validate(message) for message in messages]
        run = RecordedRun(id=derive("recorded"), name=title or "untitled", messages=found)
    except ValidationError as error:
        raise Malformed(_reason(error, messages)) from error
    return Recording(line=line, name=title, messages=run.messages, tools=tools)


def _reason(error: ValidationError, messages: list[Record]) -> str:
    detail = error.errors(include_url=False)[0]
    text = detail["msg"].removeprefix("Value error, ")
    if detail["loc"] == ("messages",):
        return f"messages: {text}" if messages else "there are no messages"
    if error.title != "RecordedMessage":
        return text
    place = next(i for i, message in enumerate(messages) if not _fits(message))
    return f"message {place + 1}: {'.'.join(map(str, detail['loc']))}: {text}"


def _fits(message: Record) -> bool:
    try:
        RecordedMessage.model_validate(message)
    except ValidationError:
        return False
    return True
