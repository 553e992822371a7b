"""Bodies of simulations, cohorts, benchmarks, agents, documents and parameters from resources. Pure."""

from typing import Any

from pydantic import BaseModel

from schemas.content import ContentKind
from server.engine.drafting.build_talk import Body, Ident, Values, media, persona_body, rubric_body
from server.engine.drafting.resources_kept import (
    AgentLinks,
    ImageLinks,
    ModelName,
    ProfileLinks,
    ProfilePersonaLinks,
    RubricLinks,
    ScenarioLinks,
    ScenarioRubricLinks,
)
from server.engine.drafting.resources_sets import (
    AgentFlags,
    Agents,
    CohortFlags,
    DocumentFields,
    DocumentFlags,
    EvalFlags,
    FieldsOfParameter,
    FlagsOfScenarios,
    GroupRubrics,
    Order,
    ParameterFlags,
    Prompts,
    ReasoningLevels,
    Rubrics,
    RubricsOfItems,
    ScenarioRubrics,
    Scenarios,
    ScenarioTimeLimits,
    SimulationAvailability,
    TemperatureLevels,
    Texts,
    ToolItem,
    Tools,
)

Beside = list[tuple[ContentKind, Body]]
Runs = list[Body]


def put_document(body: Body, values: Values, ident: Ident) -> None:
    """Put what documents have."""
    for value in values.values():
        if isinstance(value, Texts | DocumentFields | DocumentFlags):
            body.update(value.model_dump())
        elif isinstance(value, ImageLinks):
            body["images"] = media(value, ident)


def put_parameter(body: Body, values: Values, ident: Ident) -> None:
    """Put what parameters have."""
    for value in values.values():
        if isinstance(value, ParameterFlags):
            body["several"] = value.several
        elif isinstance(value, FieldsOfParameter):
            body["fields"] = [
                {"id": ident("fields", i), **f.model_dump()} for i, f in enumerate(value.fields)
            ]


def put_agent(body: Body, values: Values) -> None:
    """Put what agents have; prompts come before instructions."""
    prompt, flags = values.get("prompts"), values.get("flags")
    if isinstance(prompt, Prompts):
        more = body.get("instructions", "") if "instructions" in values else ""
        body["instructions"] = f"{prompt.prompt}\n\n{more}".strip()
    for value in values.values():
        if isinstance(value, ModelName):
            body["model"] = value.model
        elif isinstance(value, TemperatureLevels):
            body["temperature"] = value.temperature
        elif isinstance(value, ReasoningLevels):
            body["reasoning"] = None if value.reasoning == "none" else value.reasoning
        elif isinstance(value, Tools):
            body["tools"] = [_tool(t) for t in value.tools]
    if isinstance(flags, AgentFlags) and not flags.uses_tools:
        body["tools"] = []


def _tool(tool: ToolItem) -> Body:
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": {
            "type": "object",
            "properties": {a.name: {"type": a.type, "description": a.description} for a in tool.arguments},
            "required": [a.name for a in tool.arguments if a.required],
            "additionalProperties": False,
        },
    }


def put_simulation(body: Body, values: Values, ident: Ident) -> Beside:
    """Put the scenarios of a practice or home and their places; return what is to exist beside it."""
    beside: Beside = []
    scenarios = values.get("scenarios")
    if isinstance(scenarios, Scenarios):
        for index, part in enumerate(scenarios.scenarios):
            persona = persona_body(part.persona, ident("scenarios", index, "persona"))
            own = {"id": ident("scenarios", index), **part.model_dump(exclude={"persona"})}
            beside += [("persona", persona), ("scenario", {**own, "persona_id": persona["id"]})]
        ids = [ident("scenarios", i) for i in range(len(scenarios.scenarios))]
        body["scenarios"] = [{"scenario_id": key, "position": i} for i, key in enumerate(ids)]
    elif isinstance(scenarios, ScenarioLinks):
        body["scenarios"] = [
            {"scenario_id": key, "position": i} for i, key in enumerate(scenarios.scenario_ids)
        ]
    places = [dict(p) for p in body.get("scenarios", [])]
    beside += _put_rubrics_of(places, values.get("scenario_rubrics"), ident)
    _put_places(places, values)
    body["scenarios"] = places
    return beside


def _put_rubrics_of(places: list[Body], value: BaseModel | None, ident: Ident) -> Beside:
    if isinstance(value, ScenarioRubrics):
        made = [
            rubric_body(part, ident("scenario_rubrics", i), ident) for i, part in enumerate(value.rubrics)
        ]
        ids = [r["id"] for r in made]
    elif isinstance(value, ScenarioRubricLinks):
        made, ids = [], value.rubric_ids
    else:
        return []
    for item in value.assigned:
        if item.item <= len(places) and item.rubric <= len(ids):
            places[item.item - 1]["rubric_id"] = ids[item.rubric - 1]
    return [("rubric", r) for r in made]


def _put_places(places: list[Body], values: Values) -> None:
    flags, order = values.get("scenario_flags"), values.get("scenario_positions")
    limits = values.get("scenario_time_limits")
    if isinstance(flags, FlagsOfScenarios):
        for flag in flags.flags:
            if flag.scenario <= len(places):
                place = places[flag.scenario - 1]
                place["flags"] = {**place.get("flags", {}), flag.flag: flag.value}
    if isinstance(order, Order):
        for position, number in enumerate(order.order):
            if number <= len(places):
                places[number - 1]["position"] = position
    if isinstance(limits, ScenarioTimeLimits):
        for limit in limits.time_limits:
            if limit.scenario <= len(places):
                places[limit.scenario - 1]["time_limit"] = limit.time_limit


def put_cohort(body: Body, values: Values, simulations: list[list[Body]] | None) -> None:
    """Put the people of a home and the scenarios of its simulations, in their order and time."""
    flags, people = values.get("flags"), values.get("profiles")
    if isinstance(people, ProfileLinks):
        body["profiles"] = people.profile_ids
    if isinstance(flags, CohortFlags):
        named = body.get("profiles", [])
        body["profiles"] = "everyone" if flags.everyone else ([] if named == "everyone" else named)
    body.setdefault("profiles", "everyone")
    pairs = values.get("profile_personas")
    if isinstance(pairs, ProfilePersonaLinks):
        body["profile_personas"] = [p.model_dump() for p in pairs.profile_personas]
    if simulations is not None:
        body["scenarios"] = _places_of(simulations, values)


def _places_of(simulations: list[list[Body]], values: Values) -> list[Body]:
    order, times = values.get("simulation_positions"), values.get("simulation_availability")
    numbers = list(range(1, len(simulations) + 1))
    if isinstance(order, Order):
        numbers = [n for n in order.order if n in numbers] + [n for n in numbers if n not in order.order]
    available: dict[int, dict[str, Any]] = {}
    if isinstance(times, SimulationAvailability):
        for item in times.availability:
            available[item.simulation] = item.model_dump(exclude={"simulation"})
    places = [{**place, **available.get(n, {})} for n in numbers for place in simulations[n - 1]]
    return [{**place, "position": i} for i, place in enumerate(places)]


def put_eval(body: Body, values: Values, ident: Ident, runs: Runs | None) -> Beside:
    """Put the agents, runs and rubrics of a benchmark; return what is to exist beside it."""
    beside: Beside = []
    agents, rubrics = values.get("agents"), values.get("rubrics")
    if isinstance(agents, Agents):
        made = [{"id": ident("agents", i), **a.model_dump()} for i, a in enumerate(agents.agents)]
        beside += [("agent", a) for a in made]
        body["agent_ids"] = [a["id"] for a in made]
    elif isinstance(agents, AgentLinks):
        body["agent_ids"] = agents.agent_ids
    ids: list[str] = []
    if isinstance(rubrics, Rubrics):
        bodies = [rubric_body(r, ident("rubrics", i), ident) for i, r in enumerate(rubrics.rubrics)]
        beside += [("rubric", r) for r in bodies]
        ids = [r["id"] for r in bodies]
    elif isinstance(rubrics, RubricLinks):
        ids = rubrics.rubric_ids
    if runs is not None:
        body["runs"] = [{**run, "id": ident("runs", i)} for i, run in enumerate(runs)]
    _put_orders(body, values)
    _put_run_rubrics(body, values, ids)
    flags = values.get("flags")
    if isinstance(flags, EvalFlags):
        body["mode"] = "last_turn" if flags.last_turn_only else "auto_regressive"
    return beside


def _put_orders(body: Body, values: Values) -> None:
    for kind, name in (("run_positions", "runs"), ("group_positions", "agent_ids")):
        order = values.get(kind)
        if isinstance(order, Order):
            items = body.get(name, [])
            first = [items[n - 1] for n in dict.fromkeys(order.order) if n <= len(items)]
            body[name] = first + [item for item in items if item not in first]


def _put_run_rubrics(body: Body, values: Values, ids: list[str]) -> None:
    general, single = values.get("group_rubrics"), values.get("run_rubrics")
    if isinstance(general, GroupRubrics) and general.rubric <= len(ids):
        body["rubric_id"] = ids[general.rubric - 1]
    elif ids:
        body.setdefault("rubric_id", ids[0])
    if isinstance(single, RubricsOfItems):
        runs = [dict(r) for r in body.get("runs", [])]
        for item in single.assigned:
            if item.item <= len(runs) and item.rubric <= len(ids):
                runs[item.item - 1]["rubric_id"] = ids[item.rubric - 1]
        body["runs"] = runs
