"""What learners, and prompts of theirs, may see of generated resources and drafts."""

from typing import Any

from schemas.draft import Draft
from schemas.envelope import JsonObject, iso
from schemas.generation import Generation

_HIDDEN = frozenset({"instructions", "situation", "is_correct"})


def shown_to(value: JsonObject, *, author: bool) -> JsonObject:
    """Return a kept resource; learners do not see what only personas and authors know."""
    if author:
        return value
    shown: JsonObject = _without(value)
    return shown


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without(item) for name, item in value.items() if name not in _HIDDEN}
    return [_without(item) for item in value] if isinstance(value, list) else value


def draft_row(draft: Draft, *, author: bool) -> JsonObject:
    """Return a draft as its owner may see it."""
    shown: JsonObject = draft.model_dump(mode="json", exclude={"org", "applied", "owner", "form_state"})
    return {
        **shown,
        "created_at": iso(draft.created_at),
        "form_state": form_shown(draft.form_state, author=author),
    }


def run_row(run: Generation) -> JsonObject:
    """Return a run of generate as the owner of its draft may see it: what it makes, and what it has made."""
    return {
        "run_id": run.id,
        "state": run.state,
        "save": run.save,
        "artifact_id": run.saved_id,
        "resource_types": [step.type for step in run.steps],
        "resources": [made.type for made in run.made],
        "created_at": iso(run.created_at),
    }


def form_shown(form: JsonObject, *, author: bool) -> JsonObject:
    """Return a draft's form as its owner may see it; `instructions` as a resource type stays."""
    return {kind: shown_to(value, author=author) for kind, value in form.items()}
