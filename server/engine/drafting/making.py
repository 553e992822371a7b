"""Makes one resource or entry: asks the model, then turns numbers into what they stand for."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from schemas.envelope import JsonObject
from schemas.generation import Generation, Made, Step
from server.engine.drafting.checks import checked
from server.engine.drafting.items import Item, Numbered
from server.engine.drafting.prompt import LARGE_BUDGET, SMALL_BUDGET, Line, numbered, turns_of
from server.engine.drafting.resources import Items, Resource, entry_of, resource_of
from server.engine.drafting.resources_common import Images
from server.engine.drafting.subject import Subject
from server.engine.ids import new
from server.errors import Upstream
from server.llm import Models
from server.llm.providers import is_small
from server.store import Store
from server.store.media import Medium

TEMPERATURE = 0.7
Lines = list[Line]


class Maker:
    """Makes the steps of generations. Raises Upstream, Conflict or Unavailable; cancelling is safe."""

    def __init__(self, store: Store, models: Models) -> None:
        self._store = store
        self._models = models

    async def make(
        self, gen: Generation, step: Step, *, subject: Subject, values: Mapping[str, Any], lines: Lines
    ) -> Made:
        """Make one step; `values` are the kept resources so far, `lines` what the prompt holds besides."""
        resource = (
            resource_of(gen.artifact_type, step.type) if step.kind == "resource" else entry_of(step.type)
        )
        items = Numbered(
            self._store,
            gen,
            base=subject.body or {},
            own=subject.items,
            values=values,
            models=(self._models.name,),
        )
        shown = await self._shown(step, resource, items)
        schema = resource.linked if step.operation == "link" else resource.asked
        if schema is None:
            raise Upstream(f"{step.type} cannot be made.", retryable=False)
        answer = await self._ask(
            gen,
            step,
            schema=schema,
            resource=resource,
            shown=shown,
            lines=[*_wishes(gen), *lines, *_made(values)],
        )
        return Made(type=step.type, value=await self._kept(gen, step, answer, shown))

    async def _shown(self, step: Step, resource: Resource, items: Numbered) -> dict[Items, list[Item]]:
        """Return the numbered items that the prompt shows, by their names."""
        shown: dict[Items, list[Item]] = {}
        if step.operation == "link" and resource.items is not None:
            shown[resource.items] = await items.candidates(resource.items)
        for name in resource.numbers.values():
            if name not in shown and not (step.operation == "link" and name == resource.items):
                shown[name] = await items.parts(name)
        return shown

    async def _ask(
        self,
        gen: Generation,
        step: Step,
        *,
        schema: type[BaseModel],
        resource: Resource,
        shown: Mapping[Items, list[Item]],
        lines: Lines,
    ) -> BaseModel:
        sizes = {name: len(shown[items]) for name, items in resource.numbers.items() if items in shown}
        if step.operation == "link" and resource.items is not None:
            sizes |= dict.fromkeys(("choice", "choices", "rubric"), len(shown[resource.items]))
        for name, items in shown.items():
            lines = [*numbered(name, [item.label for item in items]), *lines]
        small = is_small(self._models.name)
        turns = turns_of(
            gen.artifact_type,
            step,
            purpose=schema.__doc__ or "",
            lines=lines,
            budget=SMALL_BUDGET if small else LARGE_BUDGET,
        )
        tokens = min(resource.tokens, 600) if small else resource.tokens
        parsed = await self._models.parse(
            checked(schema, sizes), turns, temperature=TEMPERATURE, max_tokens=tokens
        )
        return parsed.value

    async def _kept(
        self, gen: Generation, step: Step, answer: BaseModel, shown: Mapping[Items, list[Item]]
    ) -> JsonObject:
        """Return an answer as it is kept: numbers of things with ids become these ids, images are drawn."""
        if isinstance(answer, Images) and step.operation == "create":
            return {"images": [image async for image in self._drawn(gen, answer)]}
        value: JsonObject = answer.model_dump(mode="json")
        keep = _KEPT.get((step.type, step.operation))
        return keep(value, shown) if keep else value

    async def _drawn(self, gen: Generation, answer: Images) -> Any:
        for wanted in answer.images:
            image = await self._models.image(wanted.prompt)
            url = image.url
            if image.data is not None:
                key = new()  # not derived: whoever guesses it sees the image
                medium = Medium(data=image.data, media_type=image.media_type or "image/png")
                await self._store.media.put(key, medium, org=gen.org)
                url = f"/media/{key}"
            yield {"name": wanted.name, "url": url, "text": wanted.text}


def _wishes(gen: Generation) -> Lines:
    said: Lines = [{"said": m.content, "by": m.role} for m in gen.extra_messages]
    wishes: Lines = [{"wish": w} for w in gen.wishes]
    return [*wishes, *said]


def _made(values: Mapping[str, Any]) -> Iterator[Line]:
    """Yield what was made or drafted so far, the newest first: it is nearest to what comes next."""
    for kind, value in reversed(list(values.items())):
        yield {"exists": kind, "is": value}


# --- from numbers to ids ------------------------------------------------------------------------------------

Shown = Mapping[Items, list[Item]]


def _refs(items: list[Item], numbers: list[int]) -> list[Any]:
    return [items[n - 1].ref for n in dict.fromkeys(numbers)]


def _persona(value: JsonObject, shown: Shown) -> JsonObject:
    return {"persona_id": shown["personas"][value["choice"] - 1].ref}


def _documents(value: JsonObject, shown: Shown) -> JsonObject:
    return {"document_ids": _refs(shown["documents"], value["choices"])}


def _scenarios(value: JsonObject, shown: Shown) -> JsonObject:
    if "choice" in value:  # a lobby takes one
        return {"scenario_id": shown["scenarios"][value["choice"] - 1].ref}
    return {"scenario_ids": _refs(shown["scenarios"], value["choices"])}


def _scenario_rubrics(value: JsonObject, shown: Shown) -> JsonObject:
    used = list(dict.fromkeys(item["rubric"] for item in value["assigned"]))
    return {
        "rubric_ids": _refs(shown["rubrics"], used),
        "assigned": [{**item, "rubric": used.index(item["rubric"]) + 1} for item in value["assigned"]],
    }


def _profile_personas(value: JsonObject, shown: Shown) -> JsonObject:
    people, personas = shown["profiles"], shown["personas"]
    pairs = {people[p["profile"] - 1].ref: personas[p["persona"] - 1].ref for p in value["profile_personas"]}
    return {"profile_personas": [{"profile_id": p, "persona_id": q} for p, q in pairs.items()]}


def _listing(name: str, items: Items) -> Any:
    def keep(value: JsonObject, shown: Shown) -> JsonObject:
        return {name: _refs(shown[items], value["choices"])}

    return keep


def _model(value: JsonObject, shown: Shown) -> JsonObject:
    return {"model": shown["models"][value["model"] - 1].ref}


_KEPT: dict[tuple[str, str], Any] = {
    ("personas", "link"): _persona,
    ("documents", "link"): _documents,
    ("scenarios", "link"): _scenarios,
    ("scenario_rubrics", "link"): _scenario_rubrics,
    ("simulations", "link"): _listing("simulations", "simulations"),
    ("profiles", "link"): _listing("profile_ids", "profiles"),
    ("agents", "link"): _listing("agent_ids", "agents"),
    ("rubrics", "link"): _listing("rubric_ids", "rubrics"),
    ("run_positions", "link"): _listing("runs", "runs"),
    ("images", "link"): _listing("images", "images"),
    ("videos", "link"): _listing("videos", "videos"),
    ("parameter_fields", "link"): _listing("parameter_fields", "parameter_fields"),
    ("profile_personas", "create"): _profile_personas,
    ("models", "create"): _model,
}
