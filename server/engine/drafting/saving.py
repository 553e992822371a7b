"""Writes what was generated into the content store, so that it can be practised at once."""

from schemas.content import CONTENT_MODELS
from schemas.draft import Draft
from schemas.envelope import Id, JsonObject
from schemas.generation import Generation, Saving
from server.engine.authoring import references_of
from server.engine.drafting.building import KINDS, Builder, MissingError, check, kept_values
from server.engine.drafting.subject import Subject
from server.errors import Conflict
from server.store import Store


class Saver:
    """Builds and writes; writing the same again changes nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def build(self, gen: Generation, subject: Subject, *, form: JsonObject) -> list[Saving]:
        """Return what is to be written, checked; raises Conflict naming what is missing."""
        made = {m.type: m.value for m, s in zip(gen.made, gen.steps, strict=True) if s.kind == "resource"}
        values = kept_values(gen.artifact_type, {**form, **made})
        changed = subject.kind is not None and gen.artifact_type in KINDS
        builder = Builder(self._store.content, org=gen.org, key=gen.id)
        found = await builder.build(
            gen.artifact_type,
            values,
            base=subject.body if changed else None,
            main_id=subject.key if changed and subject.key else builder.ident("artifact"),
            kind=subject.kind or KINDS[gen.artifact_type],
        )
        if changed:
            found[-1] = found[-1].model_copy(update={"version": subject.version})
        checked = [check(saving) for saving in found]
        await self._check_references(checked, org=gen.org)
        return checked

    async def save(self, gen: Generation, draft: Draft | None) -> Id | None:
        """Write everything, the artifact last, and return its id; raises Conflict."""
        if gen.artifact_type == "chat":
            return draft.id if draft else None
        for saving in gen.saving:
            await self._write(saving, org=gen.org)
        return gen.saving[-1].body["id"] if gen.saving else None

    async def _write(self, saving: Saving, *, org: str) -> None:
        key = saving.body["id"]
        content = CONTENT_MODELS[saving.kind].model_validate(saving.body)
        stored = await self._store.content.get(saving.kind, key, org=org)
        if saving.version is None and stored is not None:
            return  # written by a try before this one; who changed it since then knew what he did
        if stored is not None and stored.body == saving.body:
            return
        if await self._store.content.write(saving.kind, content, org=org, version=saving.version) is None:
            raise Conflict(
                f"The {saving.kind} changed while it was generated for; run it again.", retryable=True
            )

    async def _check_references(self, savings: list[Saving], *, org: str) -> None:
        """Raise Conflict when something that is linked does not exist any more."""
        made = {s.body["id"] for s in savings}
        for saving in savings:
            content = CONTENT_MODELS[saving.kind].model_validate(saving.body)
            for kind, key, _ in references_of(content):
                if key not in made and await self._store.content.get(kind, key, org=org) is None:
                    raise MissingError(f"The {kind} {key}, which this needs, does not exist any more.")
