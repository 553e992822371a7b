"""Writes what was generated into the content store, so that it can be practised at once."""

from schemas.content import CONTENT_MODELS
from schemas.draft import Draft
from schemas.envelope import Id, JsonObject
from schemas.generation import ArtifactName, Generation, Saving
from server.engine.authoring import references_of
from server.engine.drafting.building import KINDS, Builder, MissingError, check, kept_values
from server.engine.drafting.subject import Subject
from server.errors import Conflict
from server.store import Store


class Saver:
    """Builds and writes; writing the same again changes nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def build(
        self, artifact: ArtifactName, form: JsonObject, subject: Subject, *, org: str, key: Id
    ) -> list[Saving]:
        """Return what is to be written for kept resources, checked; ids follow from `key`.

        Raises Conflict naming what is missing or does not fit.
        """
        values = kept_values(artifact, form)
        builder = Builder(self._store.content, org=org, key=key)
        found = await builder.build(
            artifact,
            values,
            base=subject.body if subject.kind else None,
            main_id=subject.key if subject.kind and subject.key else builder.ident("artifact"),
            kind=subject.kind or KINDS[artifact],
        )
        if subject.kind:
            found[-1] = found[-1].model_copy(update={"version": subject.version})
        checked = [check(saving) for saving in found]
        await self._check_references(checked, org=org)
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
