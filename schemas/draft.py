"""Drafts: what somebody is about to make, with a version for everybody who changes it at once."""

from typing import Annotated

from pydantic import BaseModel, Field

from schemas.envelope import Id, JsonObject, Payload, Time
from schemas.generation import ArtifactName
from schemas.stored import Owner

MAX_FORM_KEYS = 100
FormKey = Annotated[str, Field(min_length=1, max_length=64)]


class DraftNew(Payload):
    """Make a draft of an artifact; with `artifact_id`, of one that exists."""

    artifact_type: ArtifactName
    artifact_id: Id | None = None


class DraftChange(Payload):
    """Change fields of a draft's form; null removes one."""

    expected_version: Annotated[int, Field(ge=1)]
    changes: Annotated[dict[FormKey, JsonObject | None], Field(min_length=1, max_length=MAX_FORM_KEYS)]


class DraftPlace(BaseModel):
    """The scenario of an attempt that a lobby draft is for."""

    attempt_id: Id
    chat_entry_id: Id


class Draft(BaseModel):
    """A draft; `form_state` holds its resources by their types, as far as they are known.

    `applied` names the steps of generations that have been written, so that none is written twice.
    """

    id: Id
    owner: Owner
    org: str
    artifact_type: ArtifactName
    artifact_id: Id | None = None
    base_version: int | None = None  # of the artifact, when the draft was made
    place: DraftPlace | None = None
    version: int = 1
    form_state: JsonObject = {}
    applied: list[str] = []
    created_at: Time
    updated_at: Time
