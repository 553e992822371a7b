"""What authors keep for evaluators, over its life: who sees it, what may be stored, what may be deleted."""

from collections.abc import Iterable, Sequence

from schemas.envelope import JsonObject
from schemas.evaluator import (
    RESOURCES,
    AiAgent,
    AnyResource,
    EvaluatorScenario,
    ResourceKind,
    StoredResource,
)
from server.engine.access import Identity
from server.engine.evaluator.invalid import Invalid
from server.engine.evaluator.resource_checks import ONE, missing, read_resource, references_of
from server.engine.evaluator.stamps import stamp
from server.engine.ids import number_of
from server.errors import Conflict, Forbidden, NotFound
from server.store import Store
from server.store.evaluator_resources import Keyed

SECRETS = frozenset(
    {"websocket_secret", "webhook_secret"}
)  # written, never read back: has_… tells if they are there
HIDDEN = "***"
MOST = 10_000  # scenarios that one reading returns
TRIES = 5  # of a change, while others change the same resource
_TAKEN = "Another agent has this assistant_id already."


class Resources:
    """Reads resources for who may see all of an organisation, and changes them for its authors.

    Everything raises Forbidden for learners, and NotFound for what is missing or another organisation's.
    """

    def __init__(self, store: Store) -> None:
        self._resources = store.evaluator_resources
        self._counters = store.counters

    # --- for clients ----------------------------------------------------------------------------------------

    async def page(
        self, caller: Identity, kind: ResourceKind, *, agent: int | None, page: int, page_size: int
    ) -> tuple[int, list[JsonObject]]:
        """Return how many there are and a page of them, newest first; the first page is 1."""
        check_may_read(caller)
        skip = (page - 1) * page_size
        count, found = await self._resources.page(
            kind, org=caller.org, agent=agent, skip=skip, limit=page_size
        )
        return count, [_view(stored, caller) for stored in found]

    async def get(self, caller: Identity, kind: ResourceKind, number: int) -> JsonObject:
        """Return one resource."""
        check_may_read(caller)
        return _view(await self._there(kind, number, org=caller.org), caller)

    async def create(self, caller: Identity, kind: ResourceKind, body: JsonObject) -> JsonObject:
        """Store a new resource and return it; raises Invalid."""
        check_may_write(caller)
        resource = read_resource(kind, body)
        await self._check_references(resource, org=caller.org)
        number = await self._counters.reserve(kind)
        stored = await self._resources.insert(kind, number, org=caller.org, keyed=_keyed(resource))
        if stored is None:
            raise Invalid({"assistant_id": [_TAKEN]})
        try:
            await self._check_references(resource, org=caller.org)
        except Invalid:  # what it refers to was deleted in the meantime
            await self._resources.delete(kind, number, org=caller.org)
            raise
        return _view(stored, caller)

    async def change(
        self, caller: Identity, kind: ResourceKind, number: int, *, body: JsonObject, whole: bool
    ) -> JsonObject:
        """Replace a resource, or with `whole` false the fields that are given; raises Invalid, Conflict.

        Secrets that are not given stay as they are either way; null removes them.
        """
        check_may_write(caller)
        for _ in range(TRIES):
            stored = await self._there(kind, number, org=caller.org)
            kept = {k: v for k, v in stored.body.items() if k in SECRETS} if whole else stored.body
            resource = read_resource(kind, {**kept, **body})
            await self._check_references(resource, org=caller.org)
            written = await self._resources.write(stored, _keyed(resource))
            if written is None:
                raise Invalid({"assistant_id": [_TAKEN]})
            if written:
                await self._check_change(stored, resource)
                return await self.get(caller, kind, number)
        raise Conflict(f"The {ONE[kind]} is being changed by others just now; read it again.")

    async def delete(self, caller: Identity, kind: ResourceKind, number: int) -> None:
        """Remove a resource; raises Conflict while others refer to it. Results keep their copies."""
        check_may_write(caller)
        stored = await self._there(kind, number, org=caller.org)
        await self._check_unused(stored)
        if not await self._resources.delete(kind, number, org=caller.org):
            raise _missing(kind)
        try:
            await self._check_unused(stored)
        except Conflict:  # it was put to use in the meantime
            await self._resources.restore(stored, _keyed(_resource(stored)))
            raise

    # --- for evaluators -------------------------------------------------------------------------------------

    async def agent(
        self, org: str, *, agent_id: str | None = None, assistant_id: str | None = None
    ) -> tuple[int, AiAgent] | None:
        """Return an agent by its number, which may be text, or its assistant_id; None when there is none."""
        stored: StoredResource | None = None
        if agent_id is not None and (number := number_of(agent_id)) is not None:
            stored = await self._resources.get("aiagents", number, org=org)
        elif assistant_id is not None:
            stored = await self._resources.of_assistant(assistant_id, org=org)
        return (stored.id, AiAgent.model_validate(stored.body)) if stored else None

    async def scenarios(
        self,
        org: str,
        *,
        ids: Sequence[int] | None = None,
        first: int | None = None,
        all_: bool = False,
        tags: Sequence[str] | None = None,
        agent: int | None = None,
    ) -> dict[int, EvaluatorScenario]:
        """Return scenarios by their numbers, in the order of `ids`, else the first ones, else all, by number.

        Without `ids` they are an agent's, when one is given; `tags` leaves those that have any of them, after
        the first ones are counted, and may stand alone. What does not exist is left out; so is what is beyond
        MOST + 1.
        """
        if ids is None and first is None and not all_ and not tags:
            return {}
        if ids is not None:
            found = await self._resources.many("scenarios", ids, org=org)
            chosen = [found[number] for number in dict.fromkeys(ids) if number in found]
        elif first is not None:
            limit = min(first, MOST + 1)
            chosen = await self._resources.first("scenarios", org=org, agent=agent, limit=limit)
        else:
            chosen = await self._resources.first(
                "scenarios", org=org, agent=agent, tags=tags or (), limit=MOST + 1
            )
        read = {stored.id: EvaluatorScenario.model_validate(stored.body) for stored in chosen}
        return {number: s for number, s in read.items() if not tags or set(tags) & set(s.tags)}

    async def many(self, org: str, kind: ResourceKind, ids: Iterable[int]) -> dict[int, AnyResource]:
        """Return resources by their numbers; what does not exist is left out."""
        found = await self._resources.many(kind, ids, org=org)
        return {number: _resource(stored) for number, stored in found.items()}

    # --- parts ----------------------------------------------------------------------------------------------

    async def _there(self, kind: ResourceKind, number: int, *, org: str) -> StoredResource:
        stored = await self._resources.get(kind, number, org=org)
        if stored is None:
            raise _missing(kind)
        return stored

    async def _check_references(self, resource: AnyResource, *, org: str) -> None:
        references = references_of(resource)
        names = [f"{kind}/{number}" for _, kind, number in references]
        found = missing(references, await self._resources.known(names, org=org)) if names else {}
        if found:
            raise Invalid(found)

    async def _check_change(self, before: StoredResource, resource: AnyResource) -> None:
        """Take a change back when what it refers to was deleted in the meantime; raises Invalid."""
        try:
            await self._check_references(resource, org=before.org)
        except Invalid:
            written = before.model_copy(update={"version": before.version + 1})
            await self._resources.write(written, _keyed(_resource(before)))
            raise

    async def _check_unused(self, stored: StoredResource) -> None:
        users = await self._resources.using(stored.kind, stored.id, org=stored.org)
        if users:
            names = ", ".join(f"{ONE[u.kind]} {u.id} “{u.body['name']}”" for u in users)
            raise Conflict(f"This {ONE[stored.kind]} is still used by {names}; change or delete that first.")


def check_may_read(caller: Identity) -> None:
    """Raise Forbidden for learners and guests."""
    if not caller.sees_all:
        raise Forbidden("Evaluators are for authors, admins and ops.")


def check_may_write(caller: Identity) -> None:
    """Raise Forbidden for everybody but authors."""
    check_may_read(caller)
    if not caller.is_author:
        raise Forbidden("Only authors may change what evaluators use, and start them.")


def _resource(stored: StoredResource) -> AnyResource:
    return RESOURCES[stored.kind].model_validate(stored.body)


def _keyed(resource: AnyResource) -> Keyed:
    body = resource.model_dump(mode="json", by_alias=True)
    refs = [f"{kind}/{number}" for _, kind, number in references_of(resource)]
    if isinstance(resource, EvaluatorScenario):
        return Keyed(body=body, agent=resource.agent, tags=resource.tags, refs=refs)
    if isinstance(resource, AiAgent):
        return Keyed(body=body, assistant_id=resource.assistant_id)
    return Keyed(body=body)


def _view(stored: StoredResource, caller: Identity) -> JsonObject:
    body = {name: value for name, value in stored.body.items() if name not in SECRETS}
    body |= {f"has_{name}": stored.body[name] is not None for name in SECRETS & stored.body.keys()}
    if not caller.is_author and "websocket_headers" in body:
        body["websocket_headers"] = dict.fromkeys(body["websocket_headers"], HIDDEN)
    times = {"created_at": stamp(stored.created_at), "updated_at": stamp(stored.updated_at)}
    return {"id": stored.id, **body, **times}


def _missing(kind: ResourceKind) -> NotFound:
    return NotFound(f"There is no such {ONE[kind]}, or it is not yours.")
