"""Drafts: what somebody is about to make, alone or with a model, each change for a version."""

import orjson

from schemas.attempt import Attempt, ChatEntry
from schemas.draft import MAX_FORM_KEYS, Draft, DraftChange, DraftPlace
from schemas.envelope import Id, JsonObject, utc_now
from schemas.generation import ARTIFACTS, ArtifactName, Generation
from schemas.stored import Owner
from server.engine.access import Identity
from server.engine.drafting.subject import Subjects
from server.engine.ids import new
from server.errors import BadRequest, Conflict, Forbidden, NotFound, TooLarge
from server.store import Store
from server.store.pages import Page

MAX_FORM_BYTES = 1024 * 1024


class VersionConflict(Conflict):
    """The draft has another version; nothing was changed."""

    def __init__(self, draft: Draft) -> None:
        super().__init__(
            f"expected_version: the draft is at version {draft.version}; look at it and change it again."
        )
        self.draft = draft


class Drafts:
    """Drafts of their owners; those of others are NotFound."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._subjects = Subjects(store)

    async def owned(self, caller: Identity, key: Id) -> Draft:
        """Return the caller's own draft."""
        draft = await self._store.drafts.get(key)
        if draft is None or not caller.owns(draft.owner, draft.org):
            raise NotFound("draft_id: there is no such draft, or it is not yours.")
        return draft

    async def make(
        self, caller: Identity, artifact: ArtifactName, artifact_id: Id | None, *, draft_id: Id | None = None
    ) -> Draft:
        """Store a new draft; with an id, once."""
        _check_role(caller, artifact)
        version, place = await self._checked(caller, artifact, artifact_id)
        now = utc_now()
        draft = Draft(
            id=draft_id or new(),
            owner=Owner(kind=caller.kind, id=caller.id),
            org=caller.org,
            artifact_type=artifact,
            artifact_id=place.chat_entry_id if place else artifact_id,
            base_version=version,
            place=place,
            created_at=now,
            updated_at=now,
        )
        if not await self._store.drafts.create(draft, []):
            return await self.owned(caller, draft.id)
        return draft

    async def page(self, caller: Identity, *, limit: int, cursor: str | None) -> Page[Draft]:
        """Return a page of the caller's drafts, newest first."""
        owner = Owner(kind=caller.kind, id=caller.id)
        return await self._store.drafts.of(owner, org=caller.org, limit=limit, cursor=cursor)

    async def runs(self, caller: Identity, key: Id, *, limit: int, cursor: str | None) -> Page[Generation]:
        """Return a page of the runs of generate that write into a draft of the caller's, newest first."""
        draft = await self.owned(caller, key)
        return await self._store.generations.of_draft(draft.id, limit=limit, cursor=cursor)

    async def change(self, caller: Identity, key: Id, msg: DraftChange) -> Draft:
        """Change a draft's form; raises VersionConflict, which holds it, when the version differs."""
        draft = await self.owned(caller, key)
        if draft.version != msg.expected_version:
            raise VersionConflict(draft)
        _check_types(draft, msg)
        form = {**draft.form_state, **msg.changes}
        kept: JsonObject = {kind: value for kind, value in form.items() if value is not None}
        if len(kept) > MAX_FORM_KEYS:
            raise BadRequest(f"changes: a draft has at most {MAX_FORM_KEYS} fields.")
        if len(orjson.dumps(kept)) > MAX_FORM_BYTES:
            raise TooLarge("changes: the draft would become larger than 1 MB.")
        stored = await self._store.drafts.write(draft, kept)
        if stored is None:
            raise VersionConflict(await self.owned(caller, key))
        return stored

    async def duplicate(self, caller: Identity, key: Id) -> Draft:
        """Store a copy of a draft."""
        draft = await self.owned(caller, key)
        now = utc_now()
        copy = draft.model_copy(
            update={"id": new(), "version": 1, "applied": [], "created_at": now, "updated_at": now}
        )
        await self._store.drafts.create(copy, [])
        return copy

    async def delete(self, caller: Identity, key: Id) -> None:
        """Remove a draft; a run that writes into it ends with an error."""
        await self.owned(caller, key)
        if not await self._store.drafts.delete(key):
            raise NotFound("draft_id: there is no such draft, or it is not yours.")

    async def _checked(
        self, caller: Identity, artifact: ArtifactName, artifact_id: Id | None
    ) -> tuple[int | None, DraftPlace | None]:
        """Return the version of the content that a draft is of, or the lobby that it is for."""
        if artifact == "chat":
            return None, await self._lobby(caller, artifact_id)
        if artifact_id is None:
            return None, None
        if artifact == "attempt":
            await self._subjects.talk(artifact_id, org=caller.org)
            return None, None
        if artifact == "test":
            await self._subjects.test(artifact_id, org=caller.org)
            return None, None
        return (await self._subjects.content(artifact, artifact_id, org=caller.org)).version, None

    async def _lobby(self, caller: Identity, key: Id | None) -> DraftPlace:
        """Return the place of a scenario that waits: by its chat_entry_id, or the next of an attempt."""
        if key is None:
            raise BadRequest("artifact_id: a chat_entry_id or attempt_id is needed, whose lobby this is for.")
        attempt = await self._store.attempts.get(key) or await self._store.attempts.with_entry(
            key, owner_id=caller.id
        )
        if attempt is None or not caller.owns(attempt.owner, attempt.org):
            raise NotFound("artifact_id: there is no such scenario of an attempt, or it is not yours.")
        entry = _waiting(attempt, key)
        return DraftPlace(attempt_id=attempt.id, chat_entry_id=entry.chat_entry_id)


def _check_types(draft: Draft, msg: DraftChange) -> None:
    """Raise BadRequest for what no save could use; removing it is possible."""
    types = ARTIFACTS[draft.artifact_type].resources
    if unknown := [kind for kind, value in msg.changes.items() if value is not None and kind not in types]:
        raise BadRequest(
            f"changes: a draft of a {draft.artifact_type} has no {unknown[0]}, but {', '.join(types)}."
        )


def _waiting(attempt: Attempt, key: Id) -> ChatEntry:
    named = [e for e in attempt.entries if e.chat_entry_id == key]
    candidates = named or [e for e in attempt.entries if e.use_custom]
    entry = next((e for e in candidates if e.state in ("pending", "lobby")), None)
    if entry is None or attempt.status != "open":
        raise Conflict("artifact_id: no scenario waits there; it has been run, or the attempt has ended.")
    if not entry.use_custom:
        raise Conflict("artifact_id: this scenario cannot be made one's own: its use_custom is off.")
    return entry


def _check_role(caller: Identity, artifact: ArtifactName) -> None:
    if caller.is_author or (caller.may_practise and artifact == "chat"):
        return
    raise Forbidden("Only authors have drafts of content; learners of the chat of a lobby.")
