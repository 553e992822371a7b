"""What learners and authors may see of authored content."""

from collections.abc import Callable
from typing import Any

from schemas.content import CONTENT_MODELS, AnyContent, Persona, Practice, Scenario, StoredContent
from schemas.envelope import iso
from server.engine.access import Identity
from server.engine.attempts.views import scenario_view

View = dict[str, Any]


def content_row(stored: StoredContent, caller: Identity) -> View:
    """Return content as a caller may see it: whole for authors, without secrets for everybody else."""
    content = CONTENT_MODELS[stored.kind].model_validate(stored.body)
    shown = content.model_dump() if caller.is_author else _shown(content)
    return {
        **shown,
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
