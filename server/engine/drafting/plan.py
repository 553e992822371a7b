"""What a request to generate comes to: which parts are made, and what the prompt is to hold. Pure."""

from collections.abc import Collection, Sequence
from typing import TypeVar

from pydantic import BaseModel

from schemas.generation import (
    ARTIFACTS,
    ArtifactName,
    EntryTypeItem,
    Generate,
    Lookup,
    ResourceTypeItem,
    Step,
)
from server.engine.drafting.resources import resource_of
from server.errors import BadRequest, Unavailable

# What saving an artifact takes; what is not there already is generated too.
NEEDED: dict[ArtifactName, tuple[str, ...]] = {
    "persona": ("names", "instructions"),
    "scenario": ("names", "personas"),
    "simulation": ("names", "scenarios"),
    "rubric": ("names", "standard_groups", "standards"),
    "document": ("names", "texts"),
    "eval": ("names", "agents"),
    "agent": ("names", "prompts"),
    "cohort": ("names",),
    "parameter": ("names", "fields"),
    "attempt": ("names",),
}
# Parts that mean nothing without another one, and parts that the making of another one makes stale.
RESTS_ON: dict[str, str] = {
    "options": "questions",
    "standards": "standard_groups",
    "run_rubrics": "rubrics",
    "group_rubrics": "rubrics",
}
FOLLOWS: dict[str, str] = {"questions": "options", "standard_groups": "standards"}
FIRST = {"scenarios": -2, "rubrics": -1}  # made before those that refer to them, whatever the table says
_ADDRESSES = {
    "list": "GET /api/v1/{plural}",
    "duplicate": "POST /api/v1/{plural}/{{id}}/duplicate",
    "delete": "DELETE /api/v1/{plural}/{{id}}",
    "export": "GET /api/v1/{plural}/{{id}}/export",
    "refresh": "GET /api/v1/{plural}/{{id}}",
}
_PLURALS: dict[ArtifactName, str] = {
    "simulation": "practices",
    "eval": "benchmarks",
    "cohort": "homes",
    "chat": "drafts",
}
Item = TypeVar("Item", ResourceTypeItem, EntryTypeItem)


class Plan(BaseModel):
    """What is to be done: `draft` and `save` say where the result goes."""

    artifact: ArtifactName
    draft: bool
    save: bool
    steps: list[Step]
    lookups: list[Lookup]


def plan_of(msg: Generate, *, images: bool) -> Plan:
    """Read a request; raises BadRequest for what does not exist, Unavailable for what cannot be made here."""
    if msg.modality == "audio":
        raise BadRequest("modality: audio is for voice sessions; generate takes call.")
    named = [_artifact(item.name) for item in msg.artifact_types]
    first = msg.artifact_types[0]
    _check_first(named[0], first.operation)
    lookups: list[Lookup] = []
    for artifact, other in zip(named[1:], msg.artifact_types[1:], strict=True):
        if other.operation not in ("get", "docs"):
            raise BadRequest(
                f"artifact_types: {artifact} {other.operation}: only the first artifact is made; "
                "others take get or docs, or a run of their own with the same group_id."
            )
        lookups.append(Lookup(artifact=artifact, kind="artifact", operation=other.operation))
    resources = [
        ResourceTypeItem(name=r, operation="create") if isinstance(r, str) else r for r in msg.resource_types
    ]
    steps = _steps(named, resources, lookups, images=images) + _entries(named, msg.entry_types or [], lookups)
    return Plan(
        artifact=named[0],
        draft=first.operation == "draft" or msg.draft_id is not None or named[0] == "chat",
        save=msg.save or first.operation == "save",
        steps=steps,
        lookups=lookups,
    )


def complete(plan: Plan, *, present: Collection[str]) -> list[Step]:
    """Return the steps with what they and a save need beside what is present, in the order of making."""
    made = {s.type: s for s in plan.steps if s.kind == "resource"}
    wanted = list(made)
    if plan.save:
        wanted += [t for t in NEEDED.get(plan.artifact, ()) if t not in present]
        wanted += _attempt_needs(made) if plan.artifact == "attempt" else []
    for kind in wanted:
        made.setdefault(kind, Step(type=kind))
    for kind in list(made):
        base = RESTS_ON.get(kind)
        if base is not None and base not in present:
            made.setdefault(base, Step(type=base))
    for kind in list(made):
        if kind in FOLLOWS and (plan.save or plan.draft):
            made.setdefault(FOLLOWS[kind], Step(type=FOLLOWS[kind]))
    order = {kind: index for index, kind in enumerate(ARTIFACTS[plan.artifact].resources)}
    resources = sorted(made.values(), key=lambda s: (FIRST.get(s.type, 0), order[s.type]))
    return [*resources, *(s for s in plan.steps if s.kind == "entry")]


def named(types: Sequence[str]) -> list[Step]:
    """Return the steps that create resources of these types."""
    return [Step(type=kind) for kind in types]


def _attempt_needs(made: Collection[str]) -> list[str]:
    """Return what a save of an attempt's resources needs: those of a scenario, those of a rubric, or both."""
    rubric = {"points", "pass_points", "standard_groups", "standards", "flags"} & set(made)
    return ["standard_groups", "standards"] if rubric else []


def check_create(artifact: ArtifactName, kind: str, *, images: bool) -> None:
    """Raise Unavailable for what nothing here can make."""
    if kind == "videos":
        raise Unavailable(
            "videos: no video model exists here; link one that exists, or put its address into the draft.",
            retryable=False,
        )
    if kind == "uploads":
        raise Unavailable("uploads: this server takes no uploads; generate texts instead.", retryable=False)
    if kind == "images" and not images:
        raise Unavailable(
            "images: no image model is configured; set GREENROOM_IMAGE_MODEL, or link images that exist.",
            retryable=False,
        )
    if resource_of(artifact, kind).asked is None:
        raise BadRequest(f"resource_types: {kind} cannot be created, only linked.")


def _artifact(name: str) -> ArtifactName:
    found = next((a for a in ARTIFACTS if a == name), None)
    if found is None:
        raise BadRequest(f"artifact_types: there is no {name}; there are {', '.join(ARTIFACTS)}.")
    return found


def _check_first(artifact: ArtifactName, operation: str) -> None:
    if operation in ("create", "draft", "save"):
        return
    if operation in _ADDRESSES:
        plural = _PLURALS.get(artifact, f"{artifact}s")
        address = _ADDRESSES[operation].format(plural=plural)
        raise BadRequest(f"artifact_types: {operation} is not an operation of generate; use {address}.")
    if operation == "docs":
        raise BadRequest(f"artifact_types: docs of what is made is at GET /api/v1/docs/{artifact}.")
    raise BadRequest(
        f"artifact_types: the first artifact is made with create, draft or save, not {operation}."
    )


def _steps(
    named: Sequence[ArtifactName], items: Sequence[ResourceTypeItem], lookups: list[Lookup], *, images: bool
) -> list[Step]:
    steps: dict[str, Step] = {}
    for item in items:
        operation = item.operation
        owner = _owner(named, item.name, operation=operation)
        if operation == "get" or operation == "search" or operation == "docs":
            lookups.append(Lookup(artifact=owner, type=item.name, kind="resource", operation=operation))
            continue
        if item.name in steps:
            raise BadRequest(f"resource_types: {item.name} is named twice.")
        if operation == "create":
            check_create(owner, item.name, images=images)
        elif resource_of(owner, item.name).linked is None:
            raise BadRequest(f"resource_types: {item.name} cannot be linked, only created.")
        steps[item.name] = Step(type=item.name, operation=operation)
    return list(steps.values())


def _owner(named: Sequence[ArtifactName], kind: str, *, operation: str) -> ArtifactName:
    """Return the artifact that a resource type belongs to; only the first one's are made."""
    mine = named[:1] if operation in ("create", "link") else named
    for artifact in mine:
        if kind in ARTIFACTS[artifact].resources:
            return artifact
    known = ", ".join(ARTIFACTS[named[0]].resources) or "no resource types, only entry types"
    raise BadRequest(f"resource_types: {named[0]} has no {kind}; it has {known}.")


def _entries(
    named: Sequence[ArtifactName], items: Sequence[EntryTypeItem], lookups: list[Lookup]
) -> list[Step]:
    steps: dict[str, Step] = {}
    for item in items:
        owner = next((a for a in named if item.name in ARTIFACTS[a].entries), None)
        if owner is None:
            known = ", ".join(ARTIFACTS[named[0]].entries) or "none"
            raise BadRequest(f"entry_types: {named[0]} has no {item.name}; its entry types: {known}.")
        if item.operation in ("create", "refresh"):
            if owner != named[0]:
                raise BadRequest(f"entry_types: {item.name} belongs to {owner}, which is not made here.")
            steps[item.name] = Step(type=item.name, kind="entry")
        elif item.operation in ("get", "search", "docs"):
            lookups.append(Lookup(artifact=owner, type=item.name, kind="entry", operation=item.operation))
    return list(steps.values())
