"""Reads an agent's scenarios, and what they name, from a file."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.envelope import JsonObject
from schemas.evaluator import RESOURCES, ResourceKind
from server.cli.documents import as_json, read_object
from server.cli.failure import Failure
from server.engine.evaluator.field_names import unknown_fields

WHAT = "a file of scenarios is one object, with agent, scenarios, metrics and so on"
SECTIONS: dict[str, ResourceKind] = {
    "personalities": "personalities",
    "metrics": "metrics",
    "test_profiles": "test-profiles",
    "scenarios": "scenarios",
}
NAMED = ("personalities", "metrics", "test_profiles")
REFERENCES = (("personality", "personalities"), ("test_profile", "test_profiles"), ("metrics", "metrics"))


class Named(BaseModel):
    """Something with a name; what else it holds is for the server to judge."""

    model_config = ConfigDict(extra="allow")

    name: str


class ScenarioFile(BaseModel):
    """What a file holds: scenarios name their metrics, personality and test profile, or give ids of these."""

    agent: JsonObject = {}
    personalities: list[Named] = []
    metrics: list[Named] = []
    test_profiles: list[Named] = []
    scenarios: Annotated[list[Named], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One thing that is to be made on the server, and where the file has it."""

    kind: ResourceKind
    where: str
    body: JsonObject


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A file that can be run: an agent, what scenarios name, and the scenarios, in this order.

    `unjudged` names scenarios with nothing that is judged.
    """

    name: str
    agent: Part
    named: list[Part]
    scenarios: list[Part]
    unjudged: list[str]


def read_evaluation(path: Path, *, agent_url: str, tags: list[str]) -> Evaluation:
    """Return the scenarios of a file that have one of the tags, or all, against an agent at an address.

    Raises Failure that names every place where something is missing or stands twice.
    """
    source = as_json(read_object(path, what=WHAT), path)
    found: JsonObject = orjson.loads(source)
    unknown = list(_unknown(found))
    try:
        file = ScenarioFile.model_validate_json(source)
    except ValidationError as error:
        problems = [f"{path_of(p['loc'])}: {p['msg']}" for p in error.errors(include_url=False)]
        raise Failure(refusal(path, unknown + problems)) from error
    if problems := [*unknown, *_problems(file)]:
        raise Failure(refusal(path, problems))
    agent = {"agent_name": path.stem, **file.agent, "websocket_url": agent_url}
    scenarios = _tagged(list(_parts(found, "scenarios")), tags, path)
    rules = {metric["name"] for metric in found.get("metrics", []) if metric.get("pass") is not None}
    return Evaluation(
        name=path.stem[:255],
        agent=Part(kind="aiagents", where="agent", body=agent),
        named=[part for kind in NAMED for part in _parts(found, kind)],
        scenarios=scenarios,
        unjudged=[part.body["name"] for part in scenarios if not _is_judged(part.body, rules)],
    )


def _tagged(scenarios: list[Part], tags: list[str], path: Path) -> list[Part]:
    """Return the scenarios that have any of the tags, all without tags; raises Failure for one nobody has."""
    of = [set(found) if isinstance(found := part.body.get("tags"), list) else set() for part in scenarios]
    unknown = [tag for tag in tags if not any(tag in one for one in of)]
    if unknown:
        raise Failure(f"{path}: no scenario has the tag {' or '.join(unknown)}")
    return [part for part, one in zip(scenarios, of, strict=True) if not tags or one & set(tags)]


def _is_judged(scenario: JsonObject, rules: set[str]) -> bool:
    """Tell whether anything decides on success; a metric of the server, by its id, may do."""
    metrics = scenario.get("metrics")
    decides = isinstance(metrics, list) and any(not isinstance(m, str) or m in rules for m in metrics)
    return decides or bool(str(scenario.get("expected_outcome_prompt") or "").strip())


def refusal(path: Path, problems: list[str]) -> str:
    """Say what is wrong with a file, a problem a line."""
    if len(problems) == 1:
        return f"{path}: {problems[0]}"
    return "\n  ".join([f"{path} has {len(problems)} problems:", *problems])


def path_of(loc: tuple[Any, ...]) -> str:
    """Return where a problem is as people write it: `scenarios[1].name`."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return path.removeprefix(".") or "the file"


def _parts(found: JsonObject, section: str) -> Iterator[Part]:
    for n, body in enumerate(found.get(section, [])):
        yield Part(kind=SECTIONS[section], where=f"{section}[{n}] “{body['name']}”", body=body)


def _unknown(found: JsonObject) -> Iterator[str]:
    """Yield the fields that nothing reads, at any depth: what is misspelt would not be looked at."""
    read: list[tuple[tuple[str | int, ...], object, type[BaseModel]]] = [((), found, ScenarioFile)]
    read.append((("agent",), found.get("agent"), RESOURCES["aiagents"]))
    for section, kind in SECTIONS.items():
        items = found.get(section)
        for place, item in enumerate(items if isinstance(items, list) else ()):
            read.append(((section, place), item, RESOURCES[kind]))
    for at, body, model in read:
        for loc, near in unknown_fields(body, model) if isinstance(body, dict) else ():
            meant = f"; is {near} meant?" if near else " here"
            yield f"{path_of((*at, *loc))}: {loc[-1]} is no field{meant}"


def _problems(file: ScenarioFile) -> Iterator[str]:
    """Yield what stands twice, and names that nothing has."""
    for section in (*NAMED, "scenarios"):
        counted = Counter(item.name for item in getattr(file, section))
        yield from (f"{section}: “{name}” stands there {n} times" for name, n in counted.items() if n > 1)
    for n, scenario in enumerate(file.scenarios):
        for field, section in REFERENCES:
            known = {item.name for item in getattr(file, section)}
            given = (scenario.model_extra or {}).get(field)
            for name in given if isinstance(given, list) else [given]:
                if isinstance(name, str) and name not in known:
                    yield f"scenarios[{n}].{field}: {section} has no “{name}”"
