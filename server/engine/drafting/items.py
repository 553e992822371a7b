"""The numbered things that a prompt shows: parts made so far, and content that may be linked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.content import Benchmark, ContentKind, Home, Parameter, Scenario, StoredContent
from schemas.generation import Generation
from server.engine.drafting.resources import Items
from server.errors import Conflict
from server.store import Store

MAX_CANDIDATES = 60
MAX_BENCHMARKS = 5  # they are large
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CONTENT: dict[Items, ContentKind] = {
    "personas": "persona",
    "documents": "document",
    "scenarios": "scenario",
    "agents": "agent",
    "rubrics": "rubric",
}
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something with a number in a prompt; `ref` is what stands for it in what is kept."""

    label: str
    ref: Any = None


class Numbered:
    """Finds numbered items for a generation; `values` are its kept resources, `base` the existing content.

    `own` are things that only this generation has, such as the messages of a conversation.
    """

    def __init__(
        self,
        store: Store,
        gen: Generation,
        *,
        base: dict[str, Any],
        own: Mapping[Items, list["Item"]],
        values: Values,
        models: tuple[str, ...],
    ) -> None:
        self._store = store
        self._gen = gen
        self._base = base
        self._own = own
        self._values = values
        self._models = models

    async def candidates(self, items: Items) -> list[Item]:
        """Return what may be linked, the newest first; raises Conflict when there is nothing."""
        found = await self._candidates(items)
        if not found:
            raise Conflict(f"There are no {items.replace('_', ' ')} here that could be linked.")
        return found

    async def parts(self, items: Items) -> list[Item]:
        """Return the parts that an answer refers to; raises Conflict when there are none."""
        found = self._own.get(items) or await self._parts(items)
        if not found:
            raise Conflict(f"This needs {items.replace('_', ' ')}, and there are none yet.")
        return found

    async def _parts(self, items: Items) -> list[Item]:
        values, base = self._values, self._base
        if items == "messages":
            return []
        if items == "questions":
            return [Item(label=q["text"]) for q in _listed(values, "questions", base, "questions")]
        if items == "groups":
            made = values.get("standard_groups", {}).get("groups") or base.get("groups", [])
            return [
                Item(label=f"{g['name']}: {g.get('description', '')} ({g['points']} points)") for g in made
            ]
        if items in ("scenarios", "agents", "rubrics"):
            return await self._whole(items)
        if items == "simulations":
            links = values.get("simulations", {}).get("simulations", [])
            return [Item(label=await self._name(link["kind"], link["id"]), ref=link) for link in links]
        if items == "runs":
            return await self._runs_here()
        if items == "profiles":
            ids = values.get("profiles", {}).get("profile_ids") or base.get("profiles", [])
            return [Item(label=key, ref=key) for key in ids] if isinstance(ids, list) else []
        return await self._candidates(items)

    async def _whole(self, items: Items) -> list[Item]:
        """Return scenarios, agents or rubrics: made as parts, linked, or in the existing content."""
        value = self._values.get(str(items), {})
        if items in value:
            return [Item(label=f"{p['name']}: {p.get('description', '')}") for p in value[items]]
        kind = _CONTENT[items]
        ids = value.get(f"{kind}_ids") or self._ids_of_base(items)
        found = await self._store.content.many(kind, ids, org=self._gen.org)
        return [Item(label=found[key].name if key in found else key, ref=key) for key in ids]

    def _ids_of_base(self, items: Items) -> list[str]:
        if items == "scenarios":
            return [place["scenario_id"] for place in self._base.get("scenarios", [])]
        if items == "agents":
            return list(self._base.get("agent_ids", []))
        return [self._base["rubric_id"]] if self._base.get("rubric_id") else []

    async def _runs_here(self) -> list[Item]:
        links = self._values.get("run_positions", {}).get("runs")
        if links:
            known = {(i.ref["benchmark_id"], i.ref["run_id"]): i for i in await self._candidates("runs")}
            return [
                known.get((link["benchmark_id"], link["run_id"]), Item(label=link["run_id"]))
                for link in links
            ]
        return [Item(label=run["name"], ref=run["id"]) for run in self._base.get("runs", [])]

    async def _candidates(self, items: Items) -> list[Item]:
        if (kind := _CONTENT.get(items)) is not None:
            return [Item(label=_label(s), ref=s.id) for s in await self._newest(kind)]
        if items == "simulations":
            found = [*await self._newest("practice"), *await self._newest("home")]
            return [Item(label=_label(s), ref={"kind": s.kind, "id": s.id}) for s in found]
        if items == "runs":
            return await self._recorded()
        if items == "models":
            agents = [s.body.get("model") for s in await self._newest("agent")]
            names = dict.fromkeys([*self._models, *(m for m in agents if isinstance(m, str))])
            return [Item(label=name, ref=name) for name in names]
        if items == "profiles":
            return await self._people()
        if items == "parameter_fields":
            found = await self._newest("parameter")
            parameters = [Parameter.model_validate(s.body) for s in found]
            fields = [(p.name, f) for p in parameters for f in p.fields][:MAX_CANDIDATES]
            return [
                Item(
                    label=f"{of}: {f.name}: {f.description}",
                    ref={"name": f.name, "description": f.description or f"{of}: {f.name}"},
                )
                for of, f in fields
            ]
        return await self._media(items)

    async def _media(self, items: Items) -> list[Item]:
        """Return the images or videos of the organisation's scenarios."""
        found: dict[str, Item] = {}
        for stored in await self._newest("scenario"):
            scenario = Scenario.model_validate(stored.body)
            for medium in scenario.images if items == "images" else scenario.videos:
                ref = medium.model_dump(exclude={"id"})
                found.setdefault(medium.url, Item(label=f"{medium.name}: {medium.text}", ref=ref))
        return list(found.values())[:MAX_CANDIDATES]

    async def _recorded(self) -> list[Item]:
        found: list[Item] = []
        for stored in (await self._newest("benchmark"))[:MAX_BENCHMARKS]:
            benchmark = await self._store.content.body("benchmark", stored.id, org=self._gen.org)
            if not isinstance(benchmark, Benchmark):
                continue  # lists leave the runs out; it was deleted since
            found += [
                Item(label=f"{benchmark.name}: {r.name}", ref={"benchmark_id": benchmark.id, "run_id": r.id})
                for r in benchmark.runs[:MAX_CANDIDATES]
            ]
        return found

    async def _people(self) -> list[Item]:
        """Return profiles that the request names, or that the organisation's homes are assigned to."""
        said = [*self._gen.wishes, *(m.content for m in self._gen.extra_messages)]
        ids = dict.fromkeys(key.lower() for text in said for key in _UUID.findall(text))
        for stored in await self._newest("home"):
            home = Home.model_validate(stored.body)
            ids |= dict.fromkeys(home.profiles if home.profiles != "everyone" else [])
        return [Item(label=key, ref=key) for key in list(ids)[:MAX_CANDIDATES]]

    async def _newest(self, kind: ContentKind) -> list[StoredContent]:
        """Return content of a kind that the wishes name by id, then the newest."""
        org, content = self._gen.org, self._store.content
        said = [*self._gen.wishes, *(m.content for m in self._gen.extra_messages)]
        ids = [key.lower() for text in said for key in _UUID.findall(text)][:MAX_CANDIDATES]
        named = list((await content.many(kind, ids, org=org)).values()) if ids else []
        limit = MAX_BENCHMARKS if kind == "benchmark" else MAX_CANDIDATES
        page = await content.page(kind, org=org, limit=limit, cursor=None)
        rest = [StoredContent.model_validate({**row, "id": row["_id"]}) for row in page.items]
        known = {s.id for s in named}
        return [*named, *(s for s in rest if s.id not in known)][:MAX_CANDIDATES]

    async def _name(self, kind: ContentKind, key: str) -> str:
        stored = await self._store.content.get(kind, key, org=self._gen.org)
        return stored.name if stored else key


def _listed(values: Values, kind: str, base: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = values.get(kind, {}).get(name) or base.get(name, [])
    return found


def _label(stored: StoredContent) -> str:
    description = stored.body.get("description") or ""
    return f"{stored.name}: {description}" if description else stored.name
