"""What a learner does with an attempt: start, next, end, end all, answer, grade again, use previous chats."""

from collections.abc import Awaitable, Callable

from schemas.attempt import (
    Attempt,
    AttemptChatEnded,
    AttemptEnd,
    AttemptEndAllReply,
    AttemptEndReply,
    AttemptGrade,
    AttemptGradeReply,
    AttemptNext,
    AttemptNextReply,
    AttemptResponseReply,
    AttemptResponseSubmit,
    AttemptStart,
    AttemptStarted,
    AttemptStartReply,
    AttemptUsePrevious,
    AttemptUsePreviousReply,
    Chat,
    ChatEntry,
    Response,
)
from schemas.draft import Draft
from schemas.envelope import Id, utc_now
from schemas.grade import RESOURCE_TYPES
from schemas.stored import Pending, Work
from server.engine.access import Identity, not_yours
from server.engine.attempts.chats import ChatMaker, owner_of
from server.engine.attempts.plan import plan, with_entry
from server.engine.attempts.proceed import Proceeding, own_room
from server.engine.attempts.quiz import asked, result
from server.engine.attempts.work import Works
from server.engine.conversation import Conversation
from server.engine.conversation.chat_place import room_of
from server.engine.ids import derive
from server.engine.pending import pending
from server.engine.watching.ops import attempt_event
from server.errors import Conflict, Forbidden, NotFound
from server.rooms.outbox import Outboxes
from server.store import Store

NewId = Callable[[str], Id]
Enter = Callable[[str], Awaitable[None]]


class Attempts:
    """The requests of an attempt's owner; durable when they return, safe to repeat with the same ids."""

    def __init__(
        self,
        *,
        store: Store,
        outboxes: Outboxes,
        conversation: Conversation,
        maker: ChatMaker,
        proceeding: Proceeding,
        works: Works,
        process: str,
    ) -> None:
        self._store = store
        self._outboxes = outboxes
        self._conversation = conversation
        self._maker = maker
        self._proceeding = proceeding
        self._works = works
        self._process = process

    async def owned(self, caller: Identity, attempt_id: Id) -> Attempt:
        """Return the caller's own attempt; raises NotFound or Forbidden."""
        attempt = await self._store.attempts.get(attempt_id)
        if attempt is None or not caller.owns(attempt.owner, attempt.org):
            raise not_yours(caller, "attempt", org=attempt.org if attempt else None)
        return attempt

    async def chat_of(self, caller: Identity, attempt_id: Id, chat_id: Id) -> Chat:
        """Return a chat that belongs to the caller's attempt; raises NotFound or Forbidden."""
        attempt = await self.owned(caller, attempt_id)
        if all(e.chat_id != chat_id for e in attempt.entries):
            raise NotFound("chat_id: the chat does not belong to this attempt.")
        return await self._conversation.load(chat_id)

    async def start(
        self, caller: Identity, msg: AttemptStart, *, new_id: NewId, enter: Enter
    ) -> AttemptStartReply:
        """Create an attempt, and its first chat unless that has a lobby."""
        if not caller.may_practise:
            raise Forbidden("The role ops follows what others do and has no attempts of its own.")
        attempt_id = new_id("attempt")
        if (stored := await self._store.attempts.get(attempt_id)) is not None:
            return _started(stored)
        source = await self._maker.source(caller, home_id=msg.home_id, practice_id=msg.practice_id)
        attempt = Attempt(
            id=attempt_id,
            owner=owner_of(caller),
            org=caller.org,
            home_id=msg.home_id,
            practice_id=msg.practice_id,
            name=source.name,
            infinite_mode=msg.infinite_mode,
            created_at=utc_now(),
            entries=await self._maker.entries(attempt_id, source, owner=owner_of(caller), org=caller.org),
        )
        first = AttemptStarted(attempt_id=attempt_id, chat_entry_id=attempt.entries[0].chat_entry_id)
        begun = [
            pending(own_room(attempt), first, f"{attempt_id}:started"),
            attempt_event(attempt, "started"),
        ]
        return _started(await self._proceeding.begin(attempt, begun, enter=enter))

    async def next(
        self, caller: Identity, msg: AttemptNext, *, new_id: NewId, enter: Enter
    ) -> AttemptNextReply:
        """Go on to the next scenario, past its lobby."""
        attempt = await self.owned(caller, msg.attempt_id)
        draft = await self._draft(caller, msg.draft_id) if msg.draft_id else None
        by = new_id("next")
        if (done := next((e for e in attempt.entries if e.by == by), None)) is not None:
            return AttemptNextReply(chat_id=done.chat_id)
        _check_open(attempt)
        if any(e.state == "open" for e in attempt.entries):
            raise Conflict("A chat of this attempt is open or still being graded; end it first.")
        if any(e.preparing for e in attempt.entries):
            raise Conflict("The content of the next chat is being made; it begins by itself.")
        chat_id = await self._proceeding.go_on(attempt, by=by, enter=enter, draft=draft)
        return AttemptNextReply(chat_id=chat_id)

    async def _draft(self, caller: Identity, draft_id: Id) -> Draft:
        draft = await self._store.drafts.get(draft_id)
        if draft is None or not caller.owns(draft.owner, draft.org):
            raise NotFound("draft_id: there is no such draft, or it is not yours.")
        return draft

    async def end(self, caller: Identity, msg: AttemptEnd, *, new_id: NewId) -> AttemptEndReply:
        """Close a chat; grading and proceeding go on in the background."""
        chat = await self.chat_of(caller, msg.attempt_id, msg.chat_id)
        grade_id = new_id("grade") if msg.grade and chat.rubric else None
        work = self._end_work(new_id("end"), msg.attempt_id, grade_id)
        if not await self._works.close(chat.id, work):
            chat = await self._conversation.load(chat.id)
            if chat.closed_by != work.id:
                raise Conflict("The chat is closed.")
        return AttemptEndReply(chat_id=chat.id, grade_id=grade_id)

    async def end_all(
        self, caller: Identity, attempt_id: Id, *, new_id: NewId, enter: Enter
    ) -> AttemptEndAllReply:
        """Close and grade the open chats and end the attempt."""
        attempt = await self.owned(caller, attempt_id)
        if attempt.status == "ended":
            raise Conflict("The attempt has ended.")
        closed: list[Id] = []
        while True:  # twice at most: a chat may open before the attempt is known to be ending, not after
            for chat_id in [e.chat_id for e in attempt.entries if e.state == "open" and e.chat_id]:
                if chat_id not in closed:
                    closed.append(chat_id)
                    await self._end_one(attempt_id, chat_id, new_id=new_id, enter=enter)
            if attempt.status != "open":
                return AttemptEndAllReply(chat_ids=closed)
            attempt = await self._proceeding.wind_up(attempt)

    async def _end_one(self, attempt_id: Id, chat_id: Id, *, new_id: NewId, enter: Enter) -> None:
        """Close one chat of an attempt that is to end with it."""
        chat = await self._conversation.load(chat_id)
        await enter(room_of(chat_id))
        grade_id = new_id(f"grade:{chat_id}") if chat.rubric else None
        work = self._end_work(new_id(f"end:{chat_id}"), attempt_id, grade_id, ending=True)
        await self._works.close(chat_id, work)

    async def respond(
        self, caller: Identity, msg: AttemptResponseSubmit, *, new_id: NewId
    ) -> AttemptResponseReply:
        """Judge and store an answer to a question."""
        chat = await self._conversation.owned(caller, msg.chat_id)
        question = asked(chat, msg)
        right = {o.id for o in question.options if o.is_correct}
        response = Response(
            id=new_id("response"),
            question_id=msg.question_id,
            option_ids=list(dict.fromkeys(msg.option_ids)),
            is_correct=set(msg.option_ids) == right,
            created_at=utc_now(),
        )
        outbox = await self._store.chats.change(
            chat.id,
            when={"status": "open", "responses.id": {"$ne": response.id}},
            update={"$push": {"responses": response.model_dump()}},
            outbox=[pending(room_of(chat.id), result(chat.id, response), f"{response.id}:result")],
        )
        if outbox is None:
            chat = await self._conversation.load(chat.id)
            if all(r.id != response.id for r in chat.responses):
                raise Conflict("The chat is closed.")
        else:
            self._outboxes.publish("chats", chat.id, outbox)
        return AttemptResponseReply(response_id=response.id, is_correct=response.is_correct)

    async def grade(
        self, caller: Identity, msg: AttemptGrade, *, new_id: NewId, enter: Enter
    ) -> AttemptGradeReply:
        """Start grading closed chats again."""
        chats = await self._gradable(caller, msg)
        kinds = list(dict.fromkeys(msg.resource_types or RESOURCE_TYPES))
        grade_ids = []
        for chat in chats:
            grade_id = new_id(f"grade:{chat.id}")
            args = {"grade_id": grade_id, "kinds": kinds, "instructions": msg.user_instructions or []}
            work = Work(id=derive(grade_id, "work"), kind="grade", owner=self._process, args=args)
            await enter(room_of(chat.id))
            await self._works.add(chat, work)
            grade_ids.append(grade_id)
        return AttemptGradeReply(grade_ids=grade_ids)

    async def use_previous(
        self, caller: Identity, msg: AttemptUsePrevious, *, new_id: NewId, enter: Enter
    ) -> AttemptUsePreviousReply:
        """Make earlier graded chats part of this attempt, all or none, and proceed."""
        attempt = await self.owned(caller, msg.attempt_id)
        answer = AttemptUsePreviousReply(
            chat_ids=[v for v in msg.previous_chat_map.values() if v is not None]
        )
        by = new_id("use_previous")
        if any(e.by == by for e in attempt.entries):
            return answer
        _check_open(attempt)
        reused: list[Chat] = []
        for key, chat_id in msg.previous_chat_map.items():
            entry = _reusable(attempt, key)
            if chat_id is None:  # to be practised after all
                update: dict[str, object] = {"passed": True}
            else:
                reused.append(await self._previous(caller, entry, chat_id))
                update = {"chat_id": chat_id, "state": "done", "reused": True}
            attempt = with_entry(attempt, entry.model_copy(update={**update, "by": by}))
        for chat in reused:
            await enter(room_of(chat.id))
        await self._proceeding.change(attempt, _reused(attempt, reused), force=False, enter=enter)
        return answer

    async def _previous(self, caller: Identity, entry: ChatEntry, chat_id: Id) -> Chat:
        """Return a chat that may stand for an entry; raises what speaks against it."""
        await self._conversation.owned(caller, chat_id)
        chat = await self._conversation.load(chat_id)
        if chat.scenario.id != entry.scenario_id:
            raise Conflict(f"The chat {chat_id} practised another scenario.")
        if not chat.ended or not chat.grades:
            raise Conflict(f"The chat {chat_id} is not closed and graded.")
        return chat

    async def _gradable(self, caller: Identity, msg: AttemptGrade) -> list[Chat]:
        attempt = await self._store.attempts.get(msg.attempt_id)
        own = attempt is not None and caller.owns(attempt.owner, attempt.org)
        if attempt is None or not (own or (caller.is_author and caller.org == attempt.org)):
            raise not_yours(caller, "attempt", org=attempt.org if attempt else None)
        chat_ids = [e.chat_id for e in attempt.entries if e.chat_id]
        if msg.chat_id is not None:
            if msg.chat_id not in chat_ids:
                raise NotFound("chat_id: the chat does not belong to this attempt.")
            chat_ids = [msg.chat_id]
        chats = [
            c for c in await self._store.chats.of_attempt(chat_ids) if msg.chat_id or c.status == "closed"
        ]
        for chat in chats:
            if chat.status != "closed":
                raise Conflict("The chat is open; end it first.")
            if chat.rubric is None and msg.chat_id:
                raise Conflict("The chat's scenario has no rubric to grade by.")
        gradable = [c for c in chats if c.rubric is not None]
        if not gradable:
            raise Conflict("No chat of this attempt is closed and has a rubric.")
        return gradable

    def _end_work(self, work_id: Id, attempt_id: Id, grade_id: Id | None, *, ending: bool = False) -> Work:
        args = {"attempt_id": attempt_id, "grade_id": grade_id, "ending": ending}
        return Work(id=work_id, kind="end", owner=self._process, args=args)


def _started(attempt: Attempt) -> AttemptStartReply:
    first = attempt.entries[0]
    return AttemptStartReply(attempt_id=attempt.id, chat_entry_id=first.chat_entry_id, chat_id=first.chat_id)


def _check_open(attempt: Attempt) -> None:
    if attempt.status != "open":
        raise Conflict("The attempt has ended.")


def _reusable(attempt: Attempt, key: Id) -> ChatEntry:
    entry = next((e for e in attempt.entries if e.chat_entry_id == key), None)
    if entry is None:
        raise NotFound(f"previous_chat_map: {key} is no scenario of this attempt.")
    if entry.state not in ("pending", "lobby") or entry.preparing:
        raise Conflict(f"The scenario {key} has been run already.")
    if not entry.use_previous:
        raise Conflict(f"The scenario {key} does not allow previous chats.")
    return entry


def _reused(attempt: Attempt, chats: list[Chat]) -> list[Pending]:
    """Return the events that say that earlier chats are part of an attempt now."""
    finished = plan(attempt).kind == "end"
    return [
        pending(
            room_of(chat.id),
            AttemptChatEnded(
                chat_id=chat.id, is_attempt_finished=finished, grade_id=chat.grades[-1].grade_id
            ),
            f"{attempt.id}:{chat.id}:reused",
        )
        for chat in chats
    ]
