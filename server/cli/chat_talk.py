"""One attempt in a terminal: what is typed and what the server says, in one order."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import quote

from schemas.envelope import Id
from server.cli.chat_choice import Choice
from server.cli.chat_heard import Heard
from server.cli.chat_link import Link, Refused
from server.cli.chat_quiz import Quiz
from server.cli.chat_screen import Screen
from server.cli.chat_state import Busy, State

HELP = """Type what you say, or a command:
/stop             stop a reply, at once
/documents        show the documents, images and videos again
/questions        show the questions
/answer N a[,b]   answer question N
/end              end the conversation; it is graded, and the next one begins
/grade            grade the last conversation again
/help             show this list
/quit             leave; an open conversation stays open, to go on with later"""
AFTER: dict[Busy, str] = {
    "reply": "after this reply",
    "ending": "after the grading",
    "grading": "after the grading",
}


class Talk:
    """A learner's side of an attempt; lines typed while the server is busy wait, except /stop."""

    def __init__(self, link: Link, screen: Screen, typed: asyncio.Queue[str | None]) -> None:
        self._link = link
        self._screen = screen
        self._typed = typed
        self._waiting: deque[str | None] = deque()
        self._again: str | None = None
        self._state = State()
        self._quiz = Quiz(link, screen, self._state)
        self._heard = Heard(link, screen, state=self._state, quiz=self._quiz)
        self._commands: dict[str, Callable[[], Awaitable[None]]] = {
            "/stop": self._stop,
            "/documents": self._documents,
            "/questions": self._questions,
            "/end": self._end,
            "/grade": self._grade_again,
            "/quit": self._quit,
            "/help": self._help,
        }

    async def start(self, choice: Choice) -> None:
        """Begin an attempt, or go on with one; raises Refused."""
        if choice.kind == "attempt":
            await self._go_on(choice.id)
            return
        ack = await self._link.call("attempt_start", **{f"{choice.kind}_id": choice.id})
        self._state.attempt = ack["attempt_id"]
        await self._heard.enter(ack.get("chat_id") or await self._heard.next())

    async def run(self) -> None:
        """Go on until the end of what is typed, or /quit."""
        typed = asyncio.ensure_future(self._typed.get())
        heard = asyncio.ensure_future(self._link.events.get())
        try:
            self._prompt()
            while not self._state.over:
                await asyncio.wait({typed, heard}, return_when=asyncio.FIRST_COMPLETED)
                if typed.done():
                    line, typed = typed.result(), asyncio.ensure_future(self._typed.get())
                    await self._take(line)
                if heard.done():
                    event, heard = heard.result(), asyncio.ensure_future(self._link.events.get())
                    await self._heard.hear(event)
                if not heard.done() and self._link.events.empty():  # so that a line meets the newest state
                    await self._work_off()
                    self._prompt()
        finally:
            typed.cancel()
            heard.cancel()
            self._screen.graded()

    async def _go_on(self, attempt_id: Id) -> None:
        attempt = await self._link.read(f"attempts/{quote(attempt_id, safe='')}")
        if attempt["status"] != "open":
            raise Refused({"message": "This attempt has ended; begin another with --practice."})
        state = self._state
        state.attempt = attempt["id"]
        chat_id = next((entry["chat_id"] for entry in attempt["entries"] if entry["state"] == "open"), None)
        await self._heard.enter(chat_id or await self._heard.next())
        if chat_id is None:
            return
        chat = await self._link.read(f"chats/{chat_id}")
        if chat["ended"]:
            state.last, state.chat = chat_id, None
            await self._heard.enter(await self._heard.next())
        elif chat["status"] == "closed":
            self._screen.note("This conversation is being graded.")
            state.busy = "ending"

    # --- what is typed --------------------------------------------------------------------------------------

    async def _take(self, line: str | None) -> None:
        self._screen.entered()
        if line is not None and line.casefold() == "/stop":
            self._screen.typed(line)
            await self._stop()
        elif line != "":
            self._waiting.append(line)
            if line is not None and self._state.busy is not None:
                what = "done" if line.startswith("/") else "sent"
                self._screen.queued(f"(will be {what} {AFTER[self._state.busy]})")

    async def _work_off(self) -> None:
        """Do what was typed, until the server is busy with it."""
        while self._waiting and self._state.busy is None and not self._state.over:
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
                self._state.busy = None

    async def _do(self, line: str) -> None:
        command, _, rest = line.partition(" ")
        if not line.startswith("/"):
            await self._say(line)
        elif command.casefold() == "/answer":
            await self._quiz.answer(rest)
        else:
            await self._commands.get(command.casefold(), self._unknown)()

    async def _say(self, text: str) -> None:
        state = self._state
        if state.chat is None:
            self._screen.note("Nobody listens: the conversation has ended. /grade or /quit.")
            return
        state.busy = "reply"
        try:
            await self._link.call(
                "attempt_message", attempt_id=state.attempt, chat_id=state.chat, message=text
            )
        except Refused as refused:
            if not (refused.code == "conflict" and refused.retryable):
                raise
            self._waiting.appendleft(text)  # the persona is speaking; said when it has finished
            self._again = text
        else:
            state.said.add(state.chat)

    async def _stop(self) -> None:
        if self._state.chat is None or self._state.busy != "reply":
            self._screen.note("There is no reply to stop.")
            return
        with suppress(Refused):  # it has ended by itself
            await self._link.call("attempt_stop", chat_id=self._state.chat)

    async def _documents(self) -> None:
        self._screen.papers(self._state.scene)

    async def _questions(self) -> None:
        self._quiz.show()

    async def _end(self) -> None:
        state = self._state
        if state.chat is None:
            self._screen.note("The conversation has ended already.")
            return
        state.busy = "ending"
        await self._link.call("attempt_end", attempt_id=state.attempt, chat_id=state.chat)

    async def _grade_again(self) -> None:
        state = self._state
        if state.last is None:
            self._screen.note("/end the conversation first; it is graded then.")
            return
        state.busy = "grading"
        await self._link.call("attempt_grade", attempt_id=state.attempt, chat_id=state.last)

    async def _help(self) -> None:
        self._screen.note(HELP)

    async def _unknown(self) -> None:
        self._screen.note("There is no such command.")
        await self._help()

    async def _quit(self) -> None:
        self._state.over = True
        if self._state.chat is not None:
            self._screen.note(
                "The conversation stays open. Go on with it by choosing it at the next start, "
                f"or with --attempt {self._state.attempt}"
            )

    def _prompt(self) -> None:
        if self._state.busy is None and not self._state.over and not self._waiting:
            self._screen.prompt()
