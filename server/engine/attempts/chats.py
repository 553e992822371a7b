"""Makes attempts and chats from authored content."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TypeVar

from schemas.attempt import Attempt, Chat, ChatEntry
from schemas.content import (
    ChatFlag,
    ChatTemplate,
    ContentKind,
    Document,
    Home,
    Persona,
    Practice,
    Rubric,
    Scenario,
    ScenarioRef,
)
from schemas.envelope import Id, JsonObject, iso, utc_now
from schemas.stored import Owner, Pending, RunningReply
from server.engine.access import Identity
from server.engine.conversation.conversation import reply_started
from server.engine.drafting.lobby import cast, linked_scenario, wanted
from server.engine.ids import derive
from server.errors import Conflict, NotFound
from server.store import Store

C = TypeVar("C", Scenario, Persona, Document, Rubric)


class ChatMaker:
    """Reads content and turns it into entries and chats; what a chat needs is copied into it."""

    def __init__(self, store: Store, process: str) -> None:
        self._store = store
        self._process = process

    async def source(
        self, caller: Identity, *, home_id: Id | None, practice_id: Id | None
    ) -> Home | Practice:
        """Return the home or practice to attempt; a home that is not assigned is as good as missing."""
        kind: ContentKind = "home" if home_id else "practice"
        found = await self._store.content.body(kind, home_id or practice_id or "", org=caller.org)
        if not isinstance(found, Practice) or (isinstance(found, Home) and not assigned(found, caller)):
            raise NotFound(f"{kind}_id: there is no such {kind}, or it is not assigned to you.")
        return found

    async def entries(self, attempt_id: Id, source: Practice, *, owner: Owner, org: str) -> list[ChatEntry]:
        """Return a source's scenarios that may be begun now, in order of (position, created_at)."""
        source = source.model_copy(update={"scenarios": available(source)})
        personas = _personas_of(source, owner)
        stored = await self._store.content.many(
            "scenario", [r.scenario_id for r in source.scenarios], org=org
        )
        missing = [r.scenario_id for r in source.scenarios if r.scenario_id not in stored]
        if missing:
            raise Conflict(f"{source.name} names scenarios that do not exist: {', '.join(missing)}.")
        scenarios = {key: Scenario.model_validate(s.body) for key, s in stored.items()}

        def place(ref: ScenarioRef) -> tuple[int, float]:
            own = scenarios[ref.scenario_id].template.position
            return (
                own if ref.position is None else ref.position,
                stored[ref.scenario_id].created_at.timestamp(),
            )

        return [
            _entry(attempt_id, index, ref, scenarios[ref.scenario_id], place(ref)[0]).model_copy(
                update={"persona_id": personas.get(owner.id)}
            )
            for index, ref in enumerate(sorted(source.scenarios, key=place))
        ]

    async def need(self, attempt: Attempt, entry: ChatEntry) -> list[str]:
        """Return the resource types that are to be generated before an entry has its chat."""
        form = await self._form(entry)
        scenario = await self._scenario(attempt, entry, form)
        types = wanted(scenario.template, form)
        if "options" in types and not (scenario.questions or "questions" in form or "questions" in types):
            types.append("questions")  # there is nothing yet that the options could belong to
        return types

    async def chat(self, attempt: Attempt, entry: ChatEntry) -> tuple[Chat, list[Pending]]:
        """Return the chat of an entry and its first events; its id is the same whoever makes it."""
        form = await self._form(entry)
        scenario = await self._scenario(attempt, entry, form)
        chosen = cast(scenario, form, key=_chat_id(attempt, entry))
        scenario = chosen.scenario
        own = entry.persona_id if "personas" not in form else None
        persona = chosen.persona or await self._need(
            Persona, "persona", own or scenario.persona_id, attempt.org
        )
        documents = chosen.documents
        if documents is None:
            documents = [
                await self._need(Document, "document", d, attempt.org) for d in scenario.document_ids
            ]
        rubric_id = entry.rubric_id or scenario.rubric_id
        rubric = await self._need(Rubric, "rubric", rubric_id, attempt.org) if rubric_id else None
        chat = self._assemble(attempt, entry, scenario, persona=persona, documents=documents, rubric=rubric)
        return chat, [reply_started(chat.id, chat.reply)] if chat.reply else []

    async def _form(self, entry: ChatEntry) -> JsonObject:
        """Return what the lobby's draft and a generation give, by resource types."""
        form: JsonObject = {}
        if entry.generation_id is not None:
            gen = await self._store.generations.get(entry.generation_id)
            form = {m.type: m.value for m in gen.made} if gen else {}
        if entry.draft_id is not None:
            draft = await self._store.drafts.get(entry.draft_id)
            if draft is None:
                raise NotFound("draft_id: the draft does not exist any more.")
            form = {**form, **draft.form_state}
        return form

    async def _scenario(self, attempt: Attempt, entry: ChatEntry, form: JsonObject) -> Scenario:
        """Return the scenario of an entry, or a draft's, with the settings of the place."""
        own = await self._need(Scenario, "scenario", entry.scenario_id, attempt.org)
        template = with_flags(own.template, entry.flags)
        if (key := linked_scenario(form)) is None:
            return own.model_copy(update={"template": template})
        other = await self._need(Scenario, "scenario", key, attempt.org)
        return other.model_copy(update={"template": template, "rubric_id": own.rubric_id})

    def _assemble(
        self,
        attempt: Attempt,
        entry: ChatEntry,
        scenario: Scenario,
        *,
        persona: Persona,
        documents: list[Document],
        rubric: Rubric | None,
    ) -> Chat:
        chat_id = _chat_id(attempt, entry)
        now = utc_now()
        limit = entry.time_limit or scenario.template.time_limit
        template = scenario.template.model_copy(update={"position": entry.position, "time_limit": limit})
        opening = RunningReply(
            message_id=derive(chat_id, "opening"), created_at=now, owner=self._process, cause="opening"
        )
        return Chat(
            id=chat_id,
            attempt_id=attempt.id,
            chat_entry_id=entry.chat_entry_id,
            owner=attempt.owner,
            org=attempt.org,
            created_at=now,
            deadline=now + timedelta(seconds=limit) if limit and not template.negative_time else None,
            template=template,
            scenario=scenario,
            persona=persona,
            documents=documents,
            rubric=rubric,
            reply=opening if scenario.persona_speaks_first or persona.speaks_first else None,
        )

    async def _need(self, model: type[C], kind: ContentKind, key: Id, org: str) -> C:
        found = await self._store.content.body(kind, key, org=org)
        if not isinstance(found, model):
            raise Conflict(f"The scenario needs a {kind} that does not exist any more: {key}.")
        return found


def assigned(home: Home, caller: Identity) -> bool:
    """Tell whether a home is for somebody; authors may try every home."""
    return home.profiles == "everyone" or caller.is_author or caller.id in home.profiles


def owner_of(caller: Identity) -> Owner:
    """Return the owner that a caller is."""
    return Owner(kind=caller.kind, id=caller.id)


def _entry(attempt_id: Id, index: int, ref: ScenarioRef, scenario: Scenario, position: int) -> ChatEntry:
    template = with_flags(scenario.template, ref.flags)
    return ChatEntry(
        chat_entry_id=derive(attempt_id, "entry", "0", str(index)),
        scenario_id=ref.scenario_id,
        rubric_id=ref.rubric_id,
        position=position,
        time_limit=ref.time_limit,
        use_custom=template.use_custom,
        use_previous=template.use_previous,
        flags=ref.flags,
    )


def with_flags(template: ChatTemplate, flags: Mapping[ChatFlag, bool]) -> ChatTemplate:
    """Return a template with the settings of one place."""
    return template.model_copy(update={str(name): value for name, value in flags.items()})


def available(source: Practice) -> list[ScenarioRef]:
    """Return the places that may be begun now; raises Conflict when there is none."""
    now = iso(utc_now())
    open_now = [
        p for p in source.scenarios if (p.available_from or "") <= now and now < (p.available_until or "9")
    ]
    if not open_now:
        later = sorted(
            p.available_from for p in source.scenarios if p.available_from and p.available_from > now
        )
        when = f"it opens at {later[0]}" if later else "its time is over"
        raise Conflict(f"{source.name} cannot be begun now: {when}.")
    return open_now


def _personas_of(source: Practice, owner: Owner) -> dict[Id, Id]:
    """Return the personas that a home gives to people; guests are nobody's profile."""
    if not isinstance(source, Home) or owner.kind != "profile":
        return {}
    return {pair.profile_id: pair.persona_id for pair in source.profile_personas}


def _chat_id(attempt: Attempt, entry: ChatEntry) -> Id:
    return derive(attempt.id, entry.chat_entry_id, "chat")
