"""One attempt in a terminal: what is typed and what the server says, in one order."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal

from pydantic import ValidationError

from schemas.attempt import Grade
from schemas.envelope import Id, JsonObject
from server.cli.chat_link import Event, Link, Refused
from server.cli.chat_screen import Screen

Busy = Literal["reply", "ending", "grading"]
HELP = "Type what you say. /stop a reply, /end the conversation and have it graded, /grade again, /quit."


class Talk:
    """A learner's side of an attempt; lines typed while the server is busy wait, except /stop."""

    def __init__(self, link: Link, screen: Screen, typed: asyncio.Queue[str | None]) -> None:
        self._link = link
        self._screen = screen
        self._typed = typed
        self._waiting: deque[str | None] = deque()
        self._busy: Busy | None = None
        self._again: str | None = None
        self._over = False
        self._attempt: Id = ""
        self._chat: Id | None = None
        self._last: Id | None = None  # the chat that /grade is about
        self._place: tuple[str, str, int] = ("", "", 0)
        self._persona = ""
        self._on: dict[str, Callable[[JsonObject], Awaitable[None]]] = {
            "attempt_chat_started": self._chat_started,
            "attempt_started": self._lobby,
            "attempt_assistant_start": self._reply_started,
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
        self._commands: dict[str, Callable[[], Awaitable[None]]] = {
            "/end": self._end,
            "/grade": self._grade_again,
            "/quit": self._quit,
            "/help": self._help,
        }

    async def start(self, practice_id: Id) -> None:
        """Begin an attempt; raises Refused."""
        ack = await self._link.call("attempt_start", practice_id=practice_id)
        self._attempt = ack["attempt_id"]
        await self._enter(ack.get("chat_id") or await self._next())

    async def run(self) -> None:
        """Go on until the end of what is typed, or /quit."""
        typed = asyncio.ensure_future(self._typed.get())
        heard = asyncio.ensure_future(self._link.events.get())
        try:
            self._prompt()
            while not self._over:
                await asyncio.wait({typed, heard}, return_when=asyncio.FIRST_COMPLETED)
                if heard.done():  # first, so that a line meets the newest state
                    event, heard = heard.result(), asyncio.ensure_future(self._link.events.get())
                    await self._hear(event)
                elif typed.done():
                    line = typed.result()
                    typed = asyncio.ensure_future(self._typed.get())
                    await self._take(line)
                await self._work_off()
        finally:
            typed.cancel()
            heard.cancel()
            self._screen.graded()

    # --- what is typed --------------------------------------------------------------------------------------

    async def _take(self, line: str | None) -> None:
        if line == "/stop":
            self._screen.typed(line)
            await self._stop()
        elif line != "":
            self._waiting.append(line)
        else:
            self._prompt()

    async def _work_off(self) -> None:
        """Do what was typed, until the server is busy with it."""
        while self._waiting and self._busy is None and not self._over:
            line = self._waiting.popleft()
            if line is None:
                await self._quit()
                return
            if line is not self._again:
                self._screen.typed(line)
            try:
                await self._do(line)
            except Refused as refused:
                self._screen.problem(str(refused))
                self._busy = None
            self._prompt()

    async def _do(self, line: str) -> None:
        if line.startswith("/"):
            await self._commands.get(line, self._help)()
        else:
            await self._say(line)

    async def _say(self, text: str) -> None:
        if self._chat is None:
            self._screen.note("Nobody listens: the conversation has ended. /grade or /quit.")
            return
        self._busy = "reply"
        try:
            await self._link.call(
                "attempt_message", attempt_id=self._attempt, chat_id=self._chat, message=text
            )
        except Refused as refused:
            if not (refused.code == "conflict" and refused.retryable):
                raise
            self._waiting.appendleft(text)  # the persona is speaking; said when it has finished
            self._again = text

    async def _stop(self) -> None:
        if self._chat is None or self._busy != "reply":
            self._screen.note("There is no reply to stop.")
            return
        with suppress(Refused):  # it has ended by itself
            await self._link.call("attempt_stop", chat_id=self._chat)

    async def _end(self) -> None:
        if self._chat is None:
            self._screen.note("The conversation has ended already.")
            return
        self._busy = "ending"
        await self._link.call("attempt_end", attempt_id=self._attempt, chat_id=self._chat)

    async def _grade_again(self) -> None:
        if self._last is None:
            self._screen.note("/end the conversation first; it is graded then.")
            return
        self._busy = "grading"
        await self._link.call("attempt_grade", attempt_id=self._attempt, chat_id=self._last)

    async def _help(self) -> None:
        self._screen.note(HELP)

    async def _quit(self) -> None:
        self._over = True
        if self._chat is not None:
            self._screen.note("The conversation stays open.")

    def _prompt(self) -> None:
        if self._busy is None and not self._over and not self._waiting:
            self._screen.prompt()

    # --- what the server says -------------------------------------------------------------------------------

    async def _hear(self, event: Event) -> None:
        room, offset = event.data.get("room"), event.data.get("offset")
        if room == self._place[0] and isinstance(offset, int):
            if offset <= self._place[2]:
                return  # it is in the snapshot already
            self._place = (*self._place[:2], offset)
        act = self._on.get(event.name)
        if act is None:
            return
        was_busy = self._busy
        try:
            await act(event.data)
        except Refused as refused:
            self._screen.problem(str(refused))
            self._busy = None
        if was_busy and self._busy is None:
            self._prompt()

    async def _enter(self, chat_id: Id | None) -> None:
        """Show a chat and follow it from its snapshot."""
        if chat_id is None:
            return
        await self._link.call("attempt_leave", chat_id=chat_id)
        ack = await self._link.call("attempt_join", chat_id=chat_id)
        self._chat = chat_id
        self._place = (ack["room"], ack["epoch"], ack["offset"])
        snapshot = ack.get("snapshot") or {}
        chat = snapshot.get("chat", {})
        self._persona = str(chat.get("persona", {}).get("name", "?"))
        self._screen.scene(chat)
        for message in snapshot.get("messages", []):
            self._screen.speaker(self._persona if message["role"] == "assistant" else "You")
            self._screen.part(message["content"])
            self._screen.said(message.get("state", "complete"))
        running = snapshot.get("running")
        self._busy = "reply" if running else None
        if running:
            self._screen.speaker(self._persona)
            self._screen.part(running["text"])

    async def _next(self) -> Id | None:
        """Go past the lobby of the next scenario."""
        ack = await self._link.call("attempt_next", attempt_id=self._attempt)
        chat_id: Id | None = ack.get("chat_id")
        return chat_id

    async def _chat_started(self, data: JsonObject) -> None:
        if data.get("attempt_id") == self._attempt and self._chat is None and data["chat_id"] != self._last:
            await self._enter(data["chat_id"])

    async def _lobby(self, data: JsonObject) -> None:
        if data.get("attempt_id") == self._attempt and self._busy == "ending" and self._chat is None:
            await self._enter(await self._next())

    async def _reply_started(self, data: JsonObject) -> None:
        self._busy = "reply"
        self._screen.speaker(self._persona)

    async def _reply_part(self, data: JsonObject) -> None:
        self._screen.part(data.get("content") or "")

    async def _reply_ended(self, data: JsonObject) -> None:
        self._screen.said(data.get("state") or "complete")
        self._settle("reply")

    async def _hints(self, data: JsonObject) -> None:
        for hint in data.get("hints", []):
            self._screen.hint(hint.get("hint", ""))
        self._prompt()

    async def _grading(self, data: JsonObject) -> None:
        entry = data.get("entry") or {}
        self._screen.grading(int(entry.get("completed_count", 0)), int(entry.get("total_count", 0)))

    async def _graded(self, data: JsonObject) -> None:
        try:
            self._screen.grade(Grade.model_validate(await self._link.read(f"grades/{data['grade_id']}")))
        except ValidationError:
            self._screen.problem("The server's grade cannot be read; is it of another version?")
        self._settle("grading")

    async def _chat_ended(self, data: JsonObject) -> None:
        if data.get("chat_id") != self._chat:
            return
        self._last, self._chat = self._chat, None
        if data.get("grade_id") is None:
            self._screen.note("The conversation has ended without a grade.")
        self._busy = "ending"  # until the next one begins, or the attempt ends

    async def _attempt_ended(self, data: JsonObject) -> None:
        if data.get("attempt_id") == self._attempt:
            self._screen.note("This was the last conversation. /grade grades it again, /quit leaves.")
            self._settle("ending")

    async def _error(self, data: JsonObject) -> None:
        self._screen.graded()
        kind = data.get("type")
        self._screen.problem(str(data.get("message", "Something failed.")))
        if kind in ("send", None):
            self._settle("reply")
        elif kind == "grade":
            self._settle("grading")
        elif kind in ("proceed", "next"):
            self._settle("ending")

    async def _expired(self, data: JsonObject) -> None:
        self._screen.problem("The token has expired; start the chat again.")
        self._over = True

    async def _disconnected(self, data: JsonObject) -> None:
        self._screen.note("The connection is lost; trying again …")

    async def _reconnected(self, data: JsonObject) -> None:
        """Go on after the last entry that was shown."""
        if self._chat is None:
            return
        _, epoch, offset = self._place
        ack = await self._link.call("attempt_join", chat_id=self._chat, after=offset, epoch=epoch)
        self._screen.note("Connected again.")
        if not ack.get("recovered"):
            await self._enter(self._chat)

    def _settle(self, what: Busy) -> None:
        if self._busy == what:
            self._busy = None
