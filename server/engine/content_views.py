"""What learners and authors may see of authored content."""

from collections.abc import Callable
from typing import Any

from schemas.content import CONTENT_MODELS, AnyContent, Benchmark, Persona, Practice, Scenario, StoredContent
from schemas.envelope import iso
from server.engine.access import Identity
from server.engine.attempts.views import scenario_view

View = dict[str, Any]


def content_row(stored: StoredContent, caller: Identity) -> View:
    """Return content as a caller may see it: whole for authors, without secrets for everybody else."""
    content = CONTENT_MODELS[stored.kind].model_validate(stored.body)
    return {**(content.model_dump() if caller.is_author else _shown(content)), **_ours(stored)}


def benchmark_row(stored: StoredContent) -> View:
    """Return a benchmark as lists have it: with the number of its runs instead of all their messages."""
    body = stored.body
    shown = {
        name: body.get(name, field.get_default(call_default_factory=True))
        for name, field in Benchmark.model_fields.items()
        if name != "runs"
    }
    return {**shown, "run_count": body["run_count"], **_ours(stored)}


def _ours(stored: StoredContent) -> View:
    return {
        "kind": stored.kind,
        "version": stored.version,
        "created_at": iso(stored.created_at),
        "updated_at": iso(stored.updated_at),
    }


def _shown(content: AnyContent) -> View:
    """Return content as learners see it; rubrics and documents are shown whole."""
    for model, view in _VIEWS.items():
        if isinstance(content, model):
            return view(content)
    return content.model_dump()


def _persona(persona: Persona) -> View:
    return persona.model_dump(include={"id", "name", "description", "color", "icon"})


def _scenario(scenario: Scenario) -> View:
    named = scenario.model_dump(include={"persona_id", "rubric_id", "document_ids"})
    return {**scenario_view(scenario), **named}


def _practice(practice: Practice) -> View:
    """Leave out to whom else a home is assigned."""
    return practice.model_dump(exclude={"profiles", "profile_personas"})


_VIEWS: dict[type[AnyContent], Callable[[Any], View]] = {
    Persona: _persona,
    Scenario: _scenario,
    Practice: _practice,
}
