"""What the server says in a terminal chat: each event changes the state and the screen."""

from collections.abc import Awaitable, Callable

from pydantic import ValidationError

from schemas.envelope import Id, JsonObject
from schemas.grade import Grade
from server.cli.chat_link import Event, Link, Refused
from server.cli.chat_quiz import Quiz
from server.cli.chat_screen import Screen
from server.cli.chat_state import State


class Heard:
    """Acts on events, in the order in which they came."""

    def __init__(self, link: Link, screen: Screen, *, state: State, quiz: Quiz) -> None:
        self._link = link
        self._screen = screen
        self._state = state
        self._quiz = quiz
        self._on: dict[str, Callable[[JsonObject], Awaitable[None]]] = {
            "attempt_chat_started": self._chat_started,
            "attempt_started": self._lobby,
            "attempt_assistant_start": self._reply_started,
            "attempt_sources": self._sources,
            "attempt_progress": self._reply_part,
            "attempt_assistant_complete": self._reply_ended,
            "attempt_hint_progress": self._hints,
            "attempt_grading_progress": self._grading,
            "attempt_graded": self._graded,
            "attempt_chat_ended": self._chat_ended,
            "attempt_ended": self._attempt_ended,
            "attempt_error": self._error,
            "auth_expired": self._expired,
            "reconnected": self._reconnected,
            "disconnected": self._disconnected,
        }

    async def hear(self, event: Event) -> None:
        """Act on an event, unless it is in the snapshot already."""
        state = self._state
        room, offset = event.data.get("room"), event.data.get("offset")
        if room == state.place[0] and isinstance(offset, int):
            if offset <= state.place[2]:
                return
            state.place = (*state.place[:2], offset)
        act = self._on.get(event.name)
        if act is None:
            return
        try:
            await act(event.data)
        except Refused as refused:
            self._screen.problem(str(refused))
            state.busy = None

    async def enter(self, chat_id: Id | None) -> None:
        """Show a chat and follow it from its snapshot; raises Refused."""
        if chat_id is None:
            return
        await self._link.call("attempt_leave", chat_id=chat_id)
        ack = await self._link.call("attempt_join", chat_id=chat_id)
        state, snapshot = self._state, ack.get("snapshot") or {}
        state.chat = chat_id
        state.place = (ack["room"], ack["epoch"], ack["offset"])
        state.show(snapshot.get("chat", {}), snapshot.get("responses", {}))
        self._screen.scene(state.scene)
        messages, running = snapshot.get("messages", []), snapshot.get("running")
        self._show_messages(chat_id, messages)
        state.busy = "reply" if running else None
        if running:
            self._screen.speaker(state.persona)
            self._screen.part(running["text"])
            self._screen.sources(running.get("sources", []))
        elif any(message["role"] == "assistant" for message in messages):
            self._quiz.show_once()

    async def next(self) -> Id | None:
        """Go past the lobby of the next scenario; raises Refused."""
        ack = await self._link.call("attempt_next", attempt_id=self._state.attempt)
        chat_id: Id | None = ack.get("chat_id")
        return chat_id

    def _show_messages(self, chat_id: Id, messages: list[JsonObject]) -> None:
        for message in messages:
            is_persona = message["role"] == "assistant"
            if not is_persona:
                self._state.said.add(chat_id)
            self._screen.speaker(self._state.persona if is_persona else "You")
            self._screen.part(message["content"])
            self._screen.said(message.get("state", "complete"))
            self._screen.sources(message.get("sources", []))

    # --- a conversation -------------------------------------------------------------------------------------

    async def _chat_started(self, data: JsonObject) -> None:
        state = self._state
        if data.get("attempt_id") == state.attempt and state.chat is None and data["chat_id"] != state.last:
            await self.enter(data["chat_id"])

    async def _lobby(self, data: JsonObject) -> None:
        state = self._state
        if data.get("attempt_id") == state.attempt and state.busy == "ending" and state.chat is None:
            await self.enter(await self.next())

    async def _reply_started(self, data: JsonObject) -> None:
        self._state.busy = "reply"
        self._screen.speaker(self._state.persona)

    async def _sources(self, data: JsonObject) -> None:
        self._screen.sources(data["sources"])

    async def _reply_part(self, data: JsonObject) -> None:
        self._screen.part(data.get("content") or "")

    async def _reply_ended(self, data: JsonObject) -> None:
        self._screen.said(data.get("state") or "complete")
        self._quiz.show_once()
        self._state.settle("reply")

    async def _hints(self, data: JsonObject) -> None:
        for hint in data.get("hints", []):
            self._screen.hint(hint.get("hint", ""))

    # --- its end --------------------------------------------------------------------------------------------

    async def _grading(self, data: JsonObject) -> None:
        entry, chat_id = data.get("entry") or {}, data.get("chat_id", "")
        done, total = int(entry.get("completed_count", 0)), int(entry.get("total_count", 0))
        self._screen.grading(done, total)
        written = self._state.writes.get(chat_id)
        if written and done == total and chat_id in self._state.said:
            self._screen.writing(written)

    async def _graded(self, data: JsonObject) -> None:
        try:
            self._screen.grade(Grade.model_validate(await self._link.read(f"grades/{data['grade_id']}")))
        except ValidationError:
            self._screen.problem("The server's grade cannot be read; is it of another version?")
        self._state.settle("grading")

    async def _chat_ended(self, data: JsonObject) -> None:
        state = self._state
        if data.get("chat_id") != state.chat:
            return
        state.last, state.chat = state.chat, None
        if data.get("grade_id") is None:
            self._screen.note("The conversation has ended without a grade.")
        state.busy = "ending"  # until the next one begins, or the attempt ends

    async def _attempt_ended(self, data: JsonObject) -> None:
        if data.get("attempt_id") == self._state.attempt:
            self._screen.note("This was the last conversation. /grade grades it again, /quit leaves.")
            self._state.settle("ending")

    # --- trouble --------------------------------------------------------------------------------------------

    async def _error(self, data: JsonObject) -> None:
        self._screen.graded()
        kind = data.get("type")
        if kind in ("send", None):
            self._screen.broken()
            self._state.settle("reply")
        elif kind == "grade":
            self._state.settle("grading")
        elif kind in ("proceed", "next"):
            self._state.settle("ending")
        self._screen.problem(str(data.get("message", "Something failed.")))

    async def _expired(self, data: JsonObject) -> None:
        self._screen.broken()
        self._screen.problem("The token has expired; start the chat again.")
        self._state.over = True

    async def _disconnected(self, data: JsonObject) -> None:
        self._screen.broken()
        self._screen.note("The connection is lost; trying again …")

    async def _reconnected(self, data: JsonObject) -> None:
        """Go on after the last entry that was shown."""
        state = self._state
        if state.chat is None:
            return
        _, epoch, offset = state.place
        ack = await self._link.call("attempt_join", chat_id=state.chat, after=offset, epoch=epoch)
        self._screen.note("Connected again.")
        if not ack.get("recovered"):
            await self.enter(state.chat)
