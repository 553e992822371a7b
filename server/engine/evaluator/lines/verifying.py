"""Tries whether an agent can be called, before anything is run."""

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.evaluator import AiAgent, Headers, HeaderValue, SocketUrl
from server.engine.evaluator.invalid import Invalid
from server.engine.evaluator.lines.destinations import address_problems, header_problems
from server.engine.evaluator.lines.dialing import Dialer, Verified, verify
from server.engine.evaluator.resource_checks import WHOLE, fields_of
from server.engine.evaluator.resources import Resources
from server.engine.evaluator.start_request import AgentId

SECRET = "X-VOCERA-SECRET"
_ONE = "Give one of agent_id, assistant_id and websocket_url."


class VerifyRequest(BaseModel):
    """The body of verify-websocket: an agent that is kept, or where one is and what it is sent."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    agent_id: AgentId | None = None
    assistant_id: AgentId | None = None
    websocket_url: SocketUrl | None = None
    websocket_headers: Headers = {}
    websocket_secret: HeaderValue | None = None


async def try_agent(resources: Resources, dialer: Dialer, *, org: str, body: object) -> Verified:
    """Return whether an agent takes connections; raises Invalid."""
    request = _read(body)
    url, headers, secret = request.websocket_url, request.websocket_headers, request.websocket_secret
    if url is None:
        agent = await _agent(resources, org, request)
        url = agent.websocket_url
        headers = {**agent.websocket_headers, **headers}
        secret = secret or agent.websocket_secret
    if url is None:
        raise Invalid({"websocket_url": ["The agent has none; set one, or send one."]})
    return await verify(url, headers={SECRET: secret, **headers} if secret else headers, dialer=dialer)


def _read(body: object) -> VerifyRequest:
    try:
        request = VerifyRequest.model_validate(body)
    except ValidationError as error:
        raise Invalid(fields_of(error)) from error
    named = (request.agent_id, request.assistant_id, request.websocket_url)
    if sum(one is not None for one in named) != 1:
        raise Invalid({WHOLE: [_ONE]})
    url = request.websocket_url
    wrong = {
        "websocket_url": address_problems(url) if url is not None else [],
        "websocket_headers": header_problems(request.websocket_headers),
    }
    if any(wrong.values()):
        raise Invalid({name: messages for name, messages in wrong.items() if messages})
    return request


async def _agent(resources: Resources, org: str, request: VerifyRequest) -> AiAgent:
    found = await resources.agent(org, agent_id=request.agent_id, assistant_id=request.assistant_id)
    if found is None:
        if request.agent_id is None:
            raise Invalid({"assistant_id": ["Invalid assistant ID or agent not found"]})
        raise Invalid({"agent_id": ["Invalid agent ID or agent not found"]})
    return found[1]
