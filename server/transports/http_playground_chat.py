"""Chats of playground sessions over HTTP: one answer as JSON, or told as it is made."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web
from pydantic import BaseModel

from schemas.envelope import Id
from schemas.playground import ChatRequest, PlaygroundError
from server.engine.playground.rooms import playground_room
from server.errors import Gone, GreenroomError, Unavailable
from server.rooms.follower import Follower
from server.transports import keys
from server.transports.documents.shapes_products import ChatAnswer
from server.transports.documents.told import Media, told
from server.transports.doors import stopping
from server.transports.http_errors import json_response
from server.transports.http_events import STREAM_HEADERS
from server.transports.http_pipelines_requests import caller_of, pipeline_id_of
from server.transports.http_playground_answer import Answer, Answers
from server.transports.http_playground_kept import known_of, message_of
from server.transports.http_playground_request import Chat, chat_of
from server.transports.http_stream import EventStream
from server.transports.places import place_of

TRIES = 3  # to follow an answer, when the numbers of its room mean something else suddenly
STREAM = "text/event-stream"
UNKNOWN = -1  # where an answer began that a process was asked for which died before it had answered


def attach(app: web.Application) -> None:
    """Add the address of chats."""
    answers = Answers()
    app[keys.DRAIN].doors.append(answers)
    app.on_shutdown.append(answers.cut)
    chat = HttpChat(app, answers)
    app.router.add_post("/api/v1/pipelines/{pipeline_id:[^/]+}/chat", chat.chat)


class Begun(BaseModel):
    """A chat that is stored: whose answer it is, and from where in the room it is told."""

    session_id: Id
    message_id: Id
    epoch: str
    after: int


class HttpChat:
    """The handler of chats. The answer is made in the session's room, whoever waits for it here."""

    def __init__(self, app: web.Application, answers: Answers) -> None:
        self._app = app
        self._answers = answers
        self._playground = app[keys.PLAYGROUND]
        self._hub = app[keys.HUB]
        self._store = app[keys.STORE]

    @told((ChatAnswer, Media(STREAM)), body=ChatRequest, headers={"Idempotency-Key": str})
    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Store what is said, and answer as JSON or as a stream of events."""
        caller = await caller_of(request)
        pipeline_id = pipeline_id_of(request)
        chat = await chat_of(request, caller, pipeline_id)
        if self._app[keys.DRAIN].begun:
            raise stopping()
        async with place_of(request, caller):
            begun = await self._once(chat)
            if STREAM in request.headers.get("Accept", ""):
                return await self._streamed(request, chat, begun)
            return await self._whole(request, chat, begun)

    async def _once(self, chat: Chat) -> Begun:
        """Begin a chat; one that was begun under the same key before is what it was."""
        if chat.key is None:
            return await self._begin(chat)
        once, identity = self._app[keys.ONCE], chat.caller.key
        known = await once.first(identity, chat.key, digest=chat.digest)
        if known is not None:
            return Begun.model_validate_json(known)
        try:
            begun = await self._begin(chat)
        except BaseException:
            once.forget(identity, chat.key)
            raise
        once.finish(identity, chat.key, begun.model_dump_json().encode())
        return begun

    async def _begin(self, chat: Chat) -> Begun:
        """Store what is said; its answer is told after a place in the room that is found before."""
        with self._app[keys.DISPATCH].working():
            session = await self._playground.session(chat.caller, chat.pipeline_id)
            room = await self._hub.room(playground_room(session.id))
            epoch, reply_id = self._hub.epoch, chat.new_id("reply")
            known = session.answer_id == reply_id or message_of(session, reply_id) is not None
            after = UNKNOWN if known else room.head
            said = await self._playground.say(
                chat.caller,
                chat.pipeline_id,
                message=chat.last.content or "",
                message_id=chat.message_id(session),
                reply_id=reply_id,
                history=chat.asked.messages[:-1],
                data=chat.asked.data,
            )
        return Begun(session_id=session.id, message_id=said.assistant_message_id, epoch=epoch, after=after)

    async def _whole(self, request: web.Request, chat: Chat, begun: Begun) -> web.Response:
        """Answer the message once it is stored; what went wrong is answered as an error."""
        answer = await self._ended(request, chat, begun)
        if answer.failure is not None:
            raise answer.failure
        session = await self._store.playground.get(begun.session_id)
        message = message_of(session, begun.message_id) if session is not None else None
        if message is None or answer.complete is None:
            raise Gone("The answer is not in the session any more.")
        return json_response(
            {
                "session_id": begun.session_id,
                "message": message.model_dump(mode="json"),
                "usage": answer.complete.get("usage"),
                "state": answer.complete.get("state", "complete"),
            }
        )

    async def _ended(self, request: web.Request, chat: Chat, begun: Begun) -> Answer:
        """Return the answer when it is over; raises Unavailable when it cannot be followed here."""
        for _ in range(TRIES):
            async with self._answers.following(begun.message_id) as answer:
                async with self._followed(chat, begun, answer):
                    await answer.wait(request)
                if answer.lost is None:
                    return answer
            if self._app[keys.DRAIN].begun:
                raise stopping()
        raise Unavailable("The answer could not be followed; it is kept in the session.")

    async def _streamed(self, request: web.Request, chat: Chat, begun: Begun) -> web.StreamResponse:
        """Tell the answer as it is made; it goes on when the client leaves."""
        response = web.StreamResponse(headers=STREAM_HEADERS)
        try:
            await response.prepare(request)
            request.writer.send_headers()
        except ConnectionError:
            return response
        chunked = response.headers.get("Transfer-Encoding") == "chunked"
        stream = EventStream(request.transport, chunked=chunked)
        async with AsyncExitStack() as stack:
            answer = await stack.enter_async_context(self._answers.following(begun.message_id, stream))
            try:
                await stack.enter_async_context(self._followed(chat, begun, answer))
            except GreenroomError as error:
                answer.show(_error_event(begun, error))
            await stream.run(request.writer)
        self._app[keys.STREAMS_ENDED][stream.reason] += 1
        return response

    @asynccontextmanager
    async def _followed(self, chat: Chat, begun: Begun, answer: Answer) -> AsyncIterator[None]:
        """Follow the room while the context lasts, from where the answer begins if that is still kept."""
        name = playground_room(begun.session_id)
        follower = Follower(answer, self._hub.wake)
        try:
            room = await self._hub.reach(name, after=begun.after, epoch=begun.epoch)
            if room is not None:
                follower.follow(room, begun.after)
            else:
                room = await self._hub.room(name)
                follower.follow(room, room.head)
                await self._catch_up(chat, begun, answer)
            yield
        finally:
            self._hub.forget(follower)

    async def _catch_up(self, chat: Chat, begun: Begun, answer: Answer) -> None:
        """Tell what is stored of an answer whose beginning is not kept in the room any more."""
        session = await self._store.playground.get(begun.session_id)
        reply = None if session is None else session.reply
        if reply is not None and reply.message_id == begun.message_id:
            return  # its end is told yet
        known = [] if session is None else known_of(session, begun.message_id)
        answer.show(*(known or [_error_event(begun, Gone("The answer is not kept any more."))]))


def _error_event(begun: Begun, error: GreenroomError) -> PlaygroundError:
    return PlaygroundError(
        session_id=begun.session_id, message_id=begun.message_id, message=error.message, code=error.code
    )
