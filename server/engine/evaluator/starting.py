"""What a request to run scenarios asks for, turned into runs."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from schemas.evaluator import (
    AiAgent,
    AnyResource,
    EvaluatorScenario,
    Metric,
    Personality,
    ResourceKind,
    TestProfile,
)
from schemas.evaluator_run import RunPlan
from server.engine.evaluator.callers.making import problems
from server.engine.evaluator.catalog import Catalog
from server.engine.evaluator.frozen import Frozen
from server.engine.evaluator.invalid import Invalid
from server.engine.evaluator.start_request import MAX_RUNS, StartRequest, read_start

MAX_PROBLEMS = 50  # told at once
UNKNOWN = "Invalid scenario IDs or scenarios not found"
R = TypeVar("R", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A result that may be started: what it is made of, and its runs."""

    name: str
    frozen: Frozen
    plans: list[RunPlan]
    freq: int
    concurrency_limit: int | None


async def wanted(catalog: Catalog, org: str, body: object, *, as_text: bool) -> Wanted:
    """Return what a request asks for; raises Invalid with every problem found."""
    request = read_start(body)
    found = await _agent(catalog, org, request)
    scenarios = await _scenarios(catalog, org, request, agent=found[0] if found else None)
    agent_id, agent = found or await _agent_of(catalog, org, scenarios)
    frozen = await _frozen(catalog, org, request, (agent_id, _called(agent, request)), scenarios)
    freq = request.freq or request.frequency or 1
    plans = _plans(request, scenarios, freq)
    await _check_setups(frozen, plans, as_text=as_text)
    return Wanted(
        name=(request.name or "").strip() or agent.agent_name,
        frozen=frozen,
        plans=plans,
        freq=freq,
        concurrency_limit=request.concurrency_limit,
    )


async def _agent(catalog: Catalog, org: str, request: StartRequest) -> tuple[int, AiAgent] | None:
    if request.agent_id is None and request.assistant_id is None:
        return None
    found = await catalog.agent(org, agent_id=request.agent_id, assistant_id=request.assistant_id)
    if found is None:
        if request.agent_id is None:
            raise Invalid({"assistant_id": ["Invalid assistant ID or agent not found"]})
        raise Invalid({"agent_id": ["Invalid agent ID or agent not found"]})
    return found


async def _scenarios(
    catalog: Catalog, org: str, request: StartRequest, *, agent: int | None
) -> Mapping[int, EvaluatorScenario]:
    """Return the scenarios to run, in the order of their ids; raises Invalid."""
    asked = request.scenarios
    ids = sorted(set(asked)) if isinstance(asked, list) else None
    if ids is not None:
        known = await catalog.scenarios(org, ids=ids)
        if len(known) < len(ids):
            raise Invalid({"scenarios": [UNKNOWN]})
        if agent is not None and any(s.agent != agent for s in known.values()):
            raise Invalid({"scenarios": ["All scenarios have to belong to the agent that is named."]})
        found = known if request.tags is None else _tagged(known, request.tags)
    else:
        first = asked if isinstance(asked, int) else None
        found = await catalog.scenarios(org, first=first, all_=first is None, tags=request.tags, agent=agent)
    if not found:
        raise Invalid({"tags" if request.tags else "scenarios": ["No scenario is like that."]})
    if len({scenario.agent for scenario in found.values()}) > 1:
        raise Invalid({"scenarios": ["All scenarios of a call have to belong to one agent."]})
    return found


def _tagged(scenarios: Mapping[int, EvaluatorScenario], tags: Iterable[str]) -> dict[int, EvaluatorScenario]:
    wanted = set(tags)
    return {i: scenario for i, scenario in scenarios.items() if wanted & set(scenario.tags)}


async def _agent_of(
    catalog: Catalog, org: str, scenarios: Mapping[int, EvaluatorScenario]
) -> tuple[int, AiAgent]:
    number = next(iter(scenarios.values())).agent
    found = await catalog.agent(org, agent_id=str(number))
    if found is None:
        raise Invalid({"scenarios": [f"Their agent {number} does not exist any more."]})
    return found


def _called(agent: AiAgent, request: StartRequest) -> AiAgent:
    """Return an agent as this call reaches it: what the request says is stronger."""
    headers = merged(agent.websocket_headers, request.websocket_headers or {})
    return agent.model_copy(
        update={"websocket_url": request.websocket_url or agent.websocket_url, "websocket_headers": headers}
    )


def merged(weak: Mapping[str, str], strong: Mapping[str, str]) -> dict[str, str]:
    """Return headers of both; names are compared without case, the strong ones stay."""
    names = {name.lower() for name in strong}
    return {**{name: value for name, value in weak.items() if name.lower() not in names}, **strong}


async def _frozen(
    catalog: Catalog,
    org: str,
    request: StartRequest,
    agent: tuple[int, AiAgent],
    scenarios: Mapping[int, EvaluatorScenario],
) -> Frozen:
    """Return everything that the runs name; raises Invalid for what does not exist."""
    own = scenarios.values()
    people = request.personality_ids or _named(scenario.personality for scenario in own)
    profiles = request.test_profile_ids or _named(scenario.test_profile for scenario in own)
    metrics = _named(number for scenario in own for number in scenario.metrics)
    wrong: dict[str, list[str]] = {}
    frozen = Frozen(
        agent_id=agent[0],
        agent=agent[1],
        scenarios=dict(scenarios),
        personalities=await _many(catalog, org, "personalities", people, Personality, wrong),
        profiles=await _many(catalog, org, "test-profiles", profiles, TestProfile, wrong),
        metrics=await _many(catalog, org, "metrics", metrics, Metric, wrong),
    )
    if wrong:
        raise Invalid(wrong)
    return frozen


_FIELDS: dict[ResourceKind, str] = {
    "personalities": "personality_ids",
    "test-profiles": "test_profile_ids",
    "metrics": "scenarios",
}


async def _many(
    catalog: Catalog,
    org: str,
    kind: ResourceKind,
    ids: Sequence[int],
    model: type[R],
    wrong: dict[str, list[str]],
) -> dict[int, R]:
    found: Mapping[int, AnyResource] = await catalog.many(org, kind, ids) if ids else {}
    missing = [number for number in ids if number not in found]
    if missing:
        names = ", ".join(map(str, missing[:20]))
        wrong.setdefault(_FIELDS[kind], []).append(f"There are no {kind} with these ids: {names}")
    return {number: one for number, one in found.items() if isinstance(one, model)}


def _named(ids: Iterable[int | None]) -> list[int]:
    return sorted({number for number in ids if number is not None})


def _plans(request: StartRequest, scenarios: Mapping[int, EvaluatorScenario], freq: int) -> list[RunPlan]:
    """Return the runs, scenario by scenario; raises Invalid when there are too many."""
    people, profiles = request.personality_ids, request.test_profile_ids
    count = len(scenarios) * freq * max(1, len(people or ())) * max(1, len(profiles or ()))
    if count > MAX_RUNS:
        raise Invalid({"scenarios": [f"These are {count} runs; a result may have {MAX_RUNS} of them."]})
    return [
        RunPlan(scenario=number, personality=who, test_profile=profile, number=n if freq > 1 else None)
        for number, scenario in scenarios.items()
        for who in people or (scenario.personality,)
        for profile in profiles or (scenario.test_profile,)
        for n in range(1, freq + 1)
    ]


async def _check_setups(frozen: Frozen, plans: Iterable[RunPlan], *, as_text: bool) -> None:
    """Raise Invalid for what cannot be played: unknown variables, bad conditions, tags of another medium."""
    wrong: list[str] = []
    for plan in plans:
        if plan.number in (None, 1):
            name = frozen.scenarios[plan.scenario].name
            wrong += [f"{name}: {problem}" for problem in problems(frozen.setup(plan), as_text=as_text)]
            await asyncio.sleep(0)  # thousands of scenarios take seconds
        if len(wrong) >= MAX_PROBLEMS:
            break
    if wrong:
        raise Invalid({"scenarios": wrong[:MAX_PROBLEMS]})
