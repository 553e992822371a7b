"""What artifacts consist of: the JSON schemas of their resource and entry types."""

from typing import Any

from pydantic import BaseModel

from schemas.content import CONTENT_MODELS
from schemas.generation import ARTIFACTS
from server.engine.drafting.building import KINDS
from server.engine.drafting.plan import NEEDED
from server.engine.drafting.resources import entry_of, resource_of
from server.errors import NotFound


def docs_of(name: str) -> dict[str, Any]:
    """Return an artifact's types: what is made of each, what a draft's form may hold, and what is stored."""
    artifact = next((a for a in ARTIFACTS if a == name), None)
    if artifact is None:
        raise NotFound(f"There is no such artifact; there are {', '.join(ARTIFACTS)}.")
    resources = {kind: resource_of(artifact, kind) for kind in ARTIFACTS[artifact].resources}
    return {
        "artifact_type": artifact,
        "needed_to_save": list(NEEDED.get(artifact, ())),
        "resource_types": {
            kind: {
                "operations": [
                    *(["create"] if r.asked else []),
                    *(["link"] if r.linked else []),
                    "get",
                    "search",
                    "docs",
                ],
                "schema": _schema(r.asked),
                "form": [_schema(form) for form in r.forms],
            }
            for kind, r in resources.items()
        },
        "entry_types": {
            kind: {"schema": _schema(entry_of(kind).asked)} for kind in ARTIFACTS[artifact].entries
        },
        "content": _schema(CONTENT_MODELS[KINDS[artifact]] if artifact in KINDS else None),
    }


def _schema(form: type[BaseModel] | None) -> dict[str, Any] | None:
    return form.model_json_schema() if form else None
