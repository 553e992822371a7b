"""From resources to content that can be practised: what a save writes, in the order of writing."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from schemas.content import CONTENT_MODELS, Benchmark, ContentKind, Practice
from schemas.envelope import Id, JsonObject
from schemas.generation import ARTIFACTS, ArtifactName, Saving
from server.engine.authoring_parts import repeated_ids
from server.engine.drafting import build_sets as sets
from server.engine.drafting import build_talk as talk
from server.engine.drafting.build_talk import Body, Ident, Values
from server.engine.drafting.resources import resource_of
from server.engine.drafting.resources_kept import RunLinks, SimulationLinks
from server.engine.drafting.resources_sets import SimulationFlags
from server.engine.ids import derive
from server.errors import Conflict
from server.store.content import ContentStore

KINDS: dict[ArtifactName, ContentKind] = {
    "persona": "persona",
    "scenario": "scenario",
    "simulation": "practice",
    "rubric": "rubric",
    "document": "document",
    "eval": "benchmark",
    "agent": "agent",
    "cohort": "home",
    "parameter": "parameter",
    "attempt": "scenario",
}
# The field of a body in which a resource ends up, for those that a save needs.
_FIELDS: dict[str, str] = {
    "names": "name",
    "instructions": "instructions",
    "prompts": "instructions",
    "personas": "persona_id",
    "scenarios": "scenarios",
    "questions": "questions",
    "standard_groups": "groups",
    "standards": "groups",
    "texts": "text",
    "fields": "fields",
    "agents": "agent_ids",
    "rubrics": "rubric_id",
}
_RUBRIC_PARTS = {"flags", "points", "pass_points", "standard_groups", "standards"}


class MissingError(Conflict):
    """Something that a save needs is missing."""


def present_in(body: JsonObject, form_state: Mapping[str, object]) -> set[str]:
    """Return the resource types that existing content or a draft has already."""
    return {*form_state, *(kind for kind, name in _FIELDS.items() if body.get(name))}


def kept_values(artifact: ArtifactName, values: Mapping[str, object]) -> dict[str, BaseModel]:
    """Read kept resources; raises Conflict naming the one that is not usable."""
    return {kind: _kept(artifact, kind, value) for kind, value in values.items()}


def _kept(artifact: ArtifactName, kind: str, value: object) -> BaseModel:
    if kind not in ARTIFACTS[artifact].resources:
        raise Conflict(f"{kind} of the draft cannot be used: a draft of a {artifact} has no {kind}.")
    problem = "nothing of this type can be kept"
    for form in resource_of(artifact, kind).forms:
        try:
            return form.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(str(p) for p in first["loc"])
            problem = f"{where}: {first['msg']}" if where else first["msg"]
    raise Conflict(f"{kind} of the draft cannot be used: {problem}.")


class Builder:
    """Builds the content of one save; ids follow from `key`, so that building it again gives the same."""

    def __init__(self, content: ContentStore, *, org: str, key: Id) -> None:
        self._content = content
        self._org = org
        self._key = key

    def ident(self, *parts: object) -> Id:
        """Return the id of a part."""
        return derive(self._key, *(str(p) for p in parts))

    async def build(
        self, artifact: ArtifactName, values: Values, *, base: Body | None, main_id: Id, kind: ContentKind
    ) -> list[Saving]:
        """Return what is to be written, the artifact last; `base` is its body when it exists already.

        Raises Conflict, naming what is missing or does not fit.
        """
        body: Body = {**(base or {}), "id": main_id}
        if artifact == "attempt":
            return self._of_attempt(values, body)
        talk.put_common(body, values, self.ident)
        beside = await self._put(artifact, body, values)
        if artifact == "simulation":
            kind = self._simulation_kind(body, values, kind=kind, new=base is None)
        return [*(_saving(k, b) for k, b in beside), _saving(kind, body)]

    async def _put(
        self, artifact: ArtifactName, body: Body, values: Values
    ) -> list[tuple[ContentKind, Body]]:
        ident: Ident = self.ident
        if artifact == "persona":
            talk.put_persona(body, values)
        elif artifact == "scenario":
            return talk.put_scenario(body, values, ident)
        elif artifact == "rubric":
            talk.put_rubric(body, values, ident)
        elif artifact == "document":
            sets.put_document(body, values, ident)
        elif artifact == "parameter":
            sets.put_parameter(body, values, ident)
        elif artifact == "agent":
            sets.put_agent(body, values)
        elif artifact == "simulation":
            return sets.put_simulation(body, values, ident)
        elif artifact == "cohort":
            sets.put_cohort(body, values, await self._simulations(values.get("simulations")))
        elif artifact == "eval":
            return sets.put_eval(body, values, ident, await self._runs(values.get("run_positions")))
        return []

    def _simulation_kind(self, body: Body, values: Values, *, kind: ContentKind, new: bool) -> ContentKind:
        """Return practice or home; content that exists stays what it is."""
        flags = values.get("flags")
        assigned = isinstance(flags, SimulationFlags) and flags.assigned
        if new and assigned:
            kind = "home"
        if kind == "home":
            body.setdefault("profiles", "everyone")
        return kind

    def _of_attempt(self, values: Values, body: Body) -> list[Saving]:
        """Return a scenario made after an attempt, with its rubric when parts of one were made."""
        saved: list[Saving] = []
        rubric = {k: v for k, v in values.items() if k in _RUBRIC_PARTS}
        scenario = {k: v for k, v in values.items() if k not in _RUBRIC_PARTS}
        if rubric:
            made: Body = {"id": self.ident("rubric")}
            talk.put_common(
                made, {k: v for k, v in scenario.items() if k in ("names", "descriptions")}, self.ident
            )
            talk.put_rubric(made, rubric, self.ident)
            saved.append(_saving("rubric", made))
            body["rubric_id"] = made["id"]
        talk.put_common(body, scenario, self.ident)
        beside = talk.put_scenario(body, scenario, self.ident)
        return [*saved, *(_saving(k, b) for k, b in beside), _saving("scenario", body)]

    async def _simulations(self, value: BaseModel | None) -> list[list[Body]] | None:
        """Return the places of linked simulations, None when none are linked."""
        if not isinstance(value, SimulationLinks):
            return None
        found: list[list[Body]] = []
        for link in value.simulations:
            source = await self._content.body(link.kind, link.id, org=self._org)
            if not isinstance(source, Practice):
                raise MissingError(f"simulations: the {link.kind} {link.id} does not exist any more.")
            places = sorted(source.scenarios, key=lambda p: p.position or 0)
            found.append([p.model_dump(exclude_none=True) for p in places])
        return found

    async def _runs(self, value: BaseModel | None) -> list[Body] | None:
        """Return copies of linked recorded runs, None when none are linked."""
        if not isinstance(value, RunLinks):
            return None
        found: list[Body] = []
        for link in value.runs:
            source = await self._content.body("benchmark", link.benchmark_id, org=self._org)
            runs = source.runs if isinstance(source, Benchmark) else []
            run = next((r for r in runs if r.id == link.run_id), None)
            if run is None:
                raise MissingError(f"run_positions: the recorded run {link.run_id} does not exist any more.")
            found.append(run.model_dump(exclude_none=True))
        return found


def check(saving: Saving) -> Saving:
    """Return content as it is stored; raises Conflict naming what is missing or does not fit."""
    try:
        content = CONTENT_MODELS[saving.kind].model_validate(saving.body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        missing = [".".join(str(p) for p in e["loc"]) for e in found if e["type"] == "missing"]
        if missing:
            raise MissingError(_needs(saving.kind, missing)) from error
        where = ".".join(str(p) for p in found[0]["loc"])
        raise Conflict(f"The {saving.kind} cannot be saved: {where}: {found[0]['msg']}.") from error
    if repeated_ids(content):
        raise Conflict(f"The {saving.kind} cannot be saved: two parts have the same id.")
    return saving.model_copy(update={"body": content.model_dump(exclude_none=True)})


def _needs(kind: ContentKind, missing: list[str]) -> str:
    hints = {
        "runs": "recorded runs: link them with run_positions, or give the artifact_id of a benchmark",
        "agent_ids": "agents: create or link some",
        "scenarios": "scenarios: create or link some, for a cohort by linking simulations",
        "persona_id": "a persona: create or link one",
    }
    return f"The {kind} cannot be saved, because it needs {'; '.join(hints.get(m, m) for m in missing)}."


def _saving(kind: Any, body: Body) -> Saving:
    return Saving(kind=kind, body=body)
