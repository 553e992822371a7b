"""What a conversation leaves behind: its transcript, metadata, and the frames that said nothing."""

from typing import assert_never

import orjson

from schemas.envelope import JsonObject
from schemas.evaluator_run import Talked, TranscriptItem
from server.engine.evaluator.callers.caller import Caller
from server.engine.evaluator.lines.frames import MAX_TEXT
from server.engine.evaluator.lines.line import Called, Ignored, Said, Told
from server.engine.evaluator.talking.transcript import Transcript
from server.engine.evaluator.talking.turns import Over

MAX_IGNORED = 20  # whose texts are kept


class Record:
    """Keeps what is heard and said since `begun`, within bounds."""

    def __init__(self, *, begun: float) -> None:
        self.begun = begun
        self.transcript = Transcript(begun=begun)
        self.spoken_at: float | None = None  # when the agent last said something
        self.ignored: list[str] = []
        self._ignored_frames = 0
        self._metadata: JsonObject = {}
        self._sizes: dict[str, int] = {}  # of the values of metadata
        self._size = 2

    def heard(self, heard: Said | Called | Told | Ignored) -> TranscriptItem | None:
        """Keep what was heard, and return it if it stands in the transcript now."""
        match heard:
            case Said(text=text, at=at, ended=ended):
                self.spoken_at = at if ended is None else ended
                return self.transcript.agent_said(text, at, ended=ended)
            case Called():
                return self.transcript.agent_called(heard)
            case Told(metadata=metadata):
                self._merge(metadata)
            case Ignored(text=text):
                self._ignored_frames += 1
                if len(self.ignored) < MAX_IGNORED:
                    self.ignored.append(text)
            case _:
                assert_never(heard)
        return None

    def talked(self, over: Over, caller: Caller) -> Talked:
        """Return what the conversation came to."""
        items = self.transcript.items
        last = items[-1].end_time if items else 0.0
        return Talked(
            status=over.status,
            ended_reason=over.reason,
            error_message=over.error,
            transcript=items,
            metadata=self._metadata,
            duration=max(last, self.transcript.seconds(over.at)),
            ignored_frames=self._ignored_frames,
            ignored=self.ignored,
            usage=caller.usage,
        )

    def _merge(self, metadata: JsonObject) -> None:
        """Take over what is told; what would make it too much is left out."""
        sizes = {key: len(orjson.dumps({key: value})) for key, value in metadata.items()}
        size = self._size + sum(sizes.values()) - sum(self._sizes.get(key, 0) for key in sizes)
        if size <= MAX_TEXT:
            self._metadata.update(metadata)
            self._sizes.update(sizes)
            self._size = size
