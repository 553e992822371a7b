"""Imports recordings: makes or extends a benchmark, and gives its agents the tools that were called."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from re import fullmatch

from schemas.content import Agent, Benchmark, Tool
from schemas.envelope import Id
from server.engine.ids import derive
from server.engine.recordings.adding import TRIES, check_bounds, extend, with_runs
from server.engine.recordings.record import Recording
from server.errors import Conflict, NotFound, TooLarge
from server.store import Store

MAX_TOOLS = 128
MAX_AGENTS = 50
_ANYTHING = {"type": "object", "properties": {}, "additionalProperties": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Where recordings go: an existing benchmark, else one of this name; and what it is to name."""

    benchmark_id: Id | None
    name: str
    rubric_id: Id | None = None
    agent_ids: Sequence[Id] = ()


@dataclass(slots=True, kw_only=True)
class Imported:
    """What an import did."""

    benchmark_id: Id
    name: str
    read: int
    added: int
    total: int
    made_agent: str | None = None
    tools_added: list[str] = field(default_factory=list)
    tools_bare: list[str] = field(default_factory=list)
    tools_differ: list[str] = field(default_factory=list)
    tools_missing: list[str] = field(default_factory=list)


async def import_recordings(
    store: Store, recordings: Sequence[Recording], *, wanted: Wanted, org: str
) -> Imported:
    """Add recordings to a benchmark, each once; stopped half-way, doing it again finishes it.

    Agents that were named, and the one that is made when there is none, get the tools of the recordings.
    Raises NotFound, TooLarge, or Conflict when somebody keeps changing the same content.
    """
    key = wanted.benchmark_id or derive("benchmark", org, wanted.name)
    existing = await store.content.get("benchmark", key, org=org)
    if existing is None and wanted.benchmark_id is not None:
        raise NotFound("There is no such benchmark, or it is not yours.")
    tools = Tools(recordings)
    agent_ids = list(wanted.agent_ids)
    default = Agent(id=derive("agent", key), name=f"{wanted.name[:180]}: configured model")
    made = existing is None and not agent_ids
    if made:
        if await store.content.get("agent", default.id, org=org) is None:
            await store.content.write("agent", default, org=org)
        agent_ids = [default.id]
    elif existing is not None and default.id in Benchmark.model_validate(existing.body).agent_ids:
        agent_ids.append(default.id)
    done = Imported(benchmark_id=key, name=wanted.name, read=len(recordings), added=0, total=0)
    done.made_agent = default.name if made else None
    await _give_tools(store, agent_ids, tools=tools, done=done, org=org)
    await _add(store, recordings, wanted=wanted, agent_ids=agent_ids, done=done, org=org)
    return done


class Tools:
    """The tools of recordings: as they were defined, else as they were called."""

    def __init__(self, recordings: Iterable[Recording]) -> None:
        self.defined: dict[str, Tool] = {}
        self.differ: set[str] = set()
        self.called: set[str] = set()
        for recording in recordings:
            self.called |= recording.called()
            for tool in recording.tools:
                if self.defined.setdefault(tool.name, tool) != tool:
                    self.differ.add(tool.name)
        bare = {name for name in self.called - set(self.defined) if fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)}
        self.bare = {name: Tool(name=name, parameters=_ANYTHING) for name in sorted(bare)}

    def all(self) -> list[Tool]:
        """Return every tool."""
        return [*self.defined.values(), *self.bare.values()]


async def _give_tools(
    store: Store, agent_ids: Sequence[Id], *, tools: Tools, done: Imported, org: str
) -> None:
    for agent_id in agent_ids:
        for _ in range(TRIES):
            stored = await store.content.get("agent", agent_id, org=org)
            if stored is None:
                raise NotFound("There is no such agent, or it is not yours.")
            agent = Agent.model_validate(stored.body)
            had = {tool.name: tool for tool in agent.tools}
            new = [tool for tool in tools.all() if tool.name not in had]
            if len(had) + len(new) > MAX_TOOLS:
                raise TooLarge(f"The agent “{agent.name}” would have more than {MAX_TOOLS} tools.")
            changed = agent.model_copy(update={"tools": [*agent.tools, *new]})
            if await store.content.write("agent", changed, org=org, version=stored.version) is not None:
                break
        else:
            raise Conflict(f"The agent “{agent.name}” is being changed all the time; try again.")
        tools.differ |= {tool.name for tool in tools.defined.values() if had.get(tool.name, tool) != tool}
        done.tools_added = sorted({*done.tools_added, *(tool.name for tool in new)})
    done.tools_differ = sorted(tools.differ)
    done.tools_bare = sorted(set(tools.bare) & set(done.tools_added))


async def _add(
    store: Store,
    recordings: Sequence[Recording],
    *,
    wanted: Wanted,
    agent_ids: Sequence[Id],
    done: Imported,
    org: str,
) -> None:
    """Make the benchmark with these recordings, or extend it by them."""
    runs = list({run.id: run for run in (r.run(done.benchmark_id) for r in recordings)}.values())

    def change(benchmark: Benchmark) -> Benchmark:
        agents = list(dict.fromkeys([*benchmark.agent_ids, *agent_ids]))[:MAX_AGENTS]
        rubric_id = wanted.rubric_id or benchmark.rubric_id
        changed = benchmark.model_copy(update={"agent_ids": agents, "rubric_id": rubric_id})
        return with_runs(changed, runs)

    if await store.content.get("benchmark", done.benchmark_id, org=org) is None:
        first = Benchmark(
            id=done.benchmark_id,
            name=wanted.name,
            agent_ids=list(dict.fromkeys(agent_ids))[:MAX_AGENTS],
            rubric_id=wanted.rubric_id,
            runs=runs,
        )
        check_bounds(first)
        if await store.content.write("benchmark", first, org=org) is None:
            raise Conflict(f"The id {first.id} belongs to another organisation or another kind of content.")
        done.added, benchmark = len(runs), first
    else:
        extended = await extend(store.content, done.benchmark_id, org=org, change=change)
        done.added, benchmark = len(extended.added), extended.benchmark
    done.name, done.total = benchmark.name, len(benchmark.runs)
    done.tools_missing = sorted(await _missing(store, benchmark, Tools(recordings).called, org=org))


async def _missing(store: Store, benchmark: Benchmark, called: set[str], *, org: str) -> set[str]:
    agents = await store.content.many("agent", benchmark.agent_ids, org=org)
    have = {tool["name"] for agent in agents.values() for tool in _stored_tools(agent.body)}
    return called - have


def _stored_tools(body: dict[str, object]) -> list[dict[str, str]]:
    tools = body.get("tools")
    return tools if isinstance(tools, list) else []
