"""A replay beside what was recorded, on the page of a report, with the differences marked."""

from schemas.content import RecordedMessage, ToolCall
from schemas.test import Recording, ReplayedMessage, Run
from server.engine.replay.beside import Pair, Piece, differences, pairs
from server.engine.reports.markup import Html, join, tag
from server.engine.reports.words import plain

Said = RecordedMessage | ReplayedMessage
MAX_COMPARED = 5_000_000  # characters of a report, some seconds' work
SPEAKERS = {"user": "User", "assistant": "Assistant", "tool": "Result of a tool", "system": "Instructions"}
HEAD = tag("thead", tag("tr", tag("th", "Recorded", scope="col"), tag("th", "Replayed", scope="col")))


class Talks:
    """Writes transcripts; once very much has been compared, words that differ are not marked any more."""

    def __init__(self) -> None:
        self._left = MAX_COMPARED

    @property
    def tired(self) -> bool:
        """Tell whether there are differences that are not marked."""
        return self._left <= 0

    def talk(self, recording: Recording | None, run: Run) -> Html:
        """Return both transcripts in one table."""
        recorded = recording.run.messages if recording else []
        replayed = run.result.messages if run.result else []
        rows = [self._row(pair) for pair in pairs(recorded, replayed)]
        return tag("table", HEAD, tag("tbody", *rows), cls="beside")

    def _row(self, pair: Pair) -> Html:
        before = plain(pair.recorded.content) if pair.recorded else ""
        after = plain(pair.replayed.content) if pair.replayed else ""
        left, right = [Piece(before, False)], [Piece(after, False)]
        if pair.recorded and pair.replayed and before != after and not self.tired:
            self._left -= len(before) + len(after)
            left, right = differences(before, after)
        return _cells(pair, left, right, same=before == after)


def _cells(pair: Pair, left: list[Piece], right: list[Piece], *, same: bool) -> Html:
    return tag(
        "tr",
        _cell(pair.recorded, left, mark="del", missing="not recorded"),
        _cell(pair.replayed, right, mark="ins", missing="not replayed"),
        cls="same" if pair.recorded and pair.replayed and same else None,
    )


def _cell(message: Said | None, pieces: list[Piece], *, mark: str, missing: str) -> Html:
    if message is None:
        return tag("td", missing, cls="gone")
    text = join(tag(mark, p.text) if p.differs else p.text for p in pieces if p.text)
    return tag(
        "td",
        tag("div", SPEAKERS[message.role], _matched(message), cls="who"),
        tag("div", text, cls="call" if message.role == "tool" else "text", dir="auto") if text else None,
        *(_call(call) for call in message.tool_calls),
    )


def _call(call: ToolCall) -> Html:
    return tag("div", f"{plain(call.name)}({plain(call.arguments)})", cls="call", dir="auto")


def _matched(message: Said) -> Html | None:
    if not isinstance(message, ReplayedMessage) or message.matched is None:
        return None
    if message.matched:
        return tag("span", " · as recorded", cls="meta")
    return tag("span", " · no such call was recorded", cls="no")
