"""The body of a request to run scenarios, checked field by field."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from schemas.evaluator import Headers, Number, SocketUrl, Tag
from schemas.storable import check_name
from server.engine.evaluator.field_names import near_fields
from server.engine.evaluator.invalid import Fields, Invalid, merged
from server.engine.evaluator.lines.destinations import address_problems, header_problems
from server.engine.evaluator.resource_checks import WHOLE, fields_of, repeated

MAX_RUNS = 10_000


def _as_text(value: object) -> object:
    """Return a number as text: ids of agents are compared so."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


AgentId = Annotated[str, Field(min_length=1, max_length=200), BeforeValidator(_as_text)]
Ids = Annotated[list[Number], Field(min_length=1, max_length=MAX_RUNS)]
FewIds = Annotated[list[Number], Field(min_length=1, max_length=100)]
_IDS: TypeAdapter[list[int]] = TypeAdapter(Ids)
Times = Annotated[int, Field(ge=1, le=100)]


class StartRequest(BaseModel):
    """The body of run_scenarios and run_scenarios_text; `scenarios` are ids, all, or the first so many."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    scenarios: Ids | Literal["all"] | Number | None = None
    tags: Annotated[list[Tag], Field(min_length=1, max_length=100)] | None = None
    agent_id: AgentId | None = None
    assistant_id: AgentId | None = None
    freq: Times | None = None
    frequency: Times | None = None
    name: Annotated[str, Field(max_length=255), AfterValidator(check_name)] | None = None
    concurrency_limit: Annotated[int, Field(ge=1, le=MAX_RUNS)] | None = None
    websocket_url: SocketUrl | None = None
    websocket_headers: Headers | None = None
    personality_ids: FewIds | None = None
    test_profile_ids: FewIds | None = None

    @property
    def names_agent(self) -> bool:
        """Tell whether it says whose scenarios are meant."""
        return self.agent_id is not None or self.assistant_id is not None


def read_start(body: object) -> StartRequest:
    """Return a request whose fields go together; raises Invalid."""
    if not isinstance(body, dict):
        raise Invalid({WHOLE: ["Send a JSON object."]})
    misspelt = near_fields(body, StartRequest)
    try:
        request = StartRequest.model_validate(body)
    except ValidationError as error:
        raise Invalid(merged(misspelt, _fields(error))) from error
    wrong = merged(misspelt, {name: found for name, found in _problems(request).items() if found})
    if wrong:
        raise Invalid(wrong)
    return request


def _fields(error: ValidationError) -> Fields:
    fields = fields_of(error)
    if "scenarios" in fields:  # the union's members would each have their say
        fields["scenarios"] = ['This should be a list of scenario ids, "all", or how many to run, from 1 on.']
    return fields


def _problems(request: StartRequest) -> Fields:
    url, headers = request.websocket_url, request.websocket_headers
    return {
        "scenarios": _scenarios_problems(request),
        "personality_ids": repeated(request.personality_ids or ()),
        "test_profile_ids": repeated(request.test_profile_ids or ()),
        "agent_id": _agent_problems(request),
        "frequency": _frequency_problems(request),
        "websocket_url": address_problems(url) if url is not None else [],
        "websocket_headers": header_problems(headers) if headers is not None else [],
    }


def _scenarios_problems(request: StartRequest) -> list[str]:
    if request.scenarios is None and request.tags is None:
        return ["Either scenarios or tags must be provided."]
    return repeated(request.scenarios) if isinstance(request.scenarios, list) else []


def _agent_problems(request: StartRequest) -> list[str]:
    if request.agent_id is not None and request.assistant_id is not None:
        return ["Give either agent_id or assistant_id, not both."]
    counted = request.scenarios is not None and not isinstance(request.scenarios, list)
    if counted and not request.names_agent:
        return ['Either agent_id or assistant_id is required when scenarios is "all" or a number.']
    return []


def _frequency_problems(request: StartRequest) -> list[str]:
    both = None not in (request.freq, request.frequency)
    return (
        ["freq and frequency mean the same; give one."] if both and request.freq != request.frequency else []
    )


def read_ids(body: object, field: str) -> list[int] | None:
    """Return the ids that a body has in a field, each once; None without them. Raises Invalid."""
    if body is not None and not isinstance(body, dict):
        raise Invalid({WHOLE: ["Send a JSON object."]})
    given = (body or {}).get(field)
    if given is None:
        return None
    try:
        return sorted(set(_IDS.validate_python(given, strict=True)))
    except ValidationError as error:
        raise Invalid({field: ["This should be a list of ids, at least one."]}) from error
