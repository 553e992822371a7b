"""A scenario as one chat has it: changed by its learner's draft and by what is generated for it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from schemas.content import GENERATE_FLAGS, ChatTemplate, Document, Persona, Scenario
from schemas.envelope import Id
from server.engine.drafting.build_talk import Body, put_common, put_scenario
from server.engine.drafting.building import kept_values
from server.engine.drafting.resources_kept import DocumentLinks, PersonaLink, ScenarioLink
from server.engine.drafting.resources_sets import LobbyScenario
from server.engine.ids import derive
from server.errors import Conflict


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """What a chat is made of."""

    scenario: Scenario
    persona: Persona | None = None  # None: the one that the scenario names
    documents: list[Document] | None = None  # None: those that the scenario names


def wanted(template: ChatTemplate, form: Mapping[str, object]) -> list[str]:
    """Return the resource types that a scenario's flags ask for and no draft gives."""
    return [f for f in GENERATE_FLAGS if getattr(template, f"generate_{f}") and f not in form]


def linked_scenario(form: Mapping[str, object]) -> Id | None:
    """Return the scenario that a draft takes instead; raises Conflict when that is not usable."""
    values = kept_values("chat", {k: v for k, v in form.items() if k == "scenarios"})
    link = values.get("scenarios")
    return link.scenario_id if isinstance(link, ScenarioLink) else None


def cast(scenario: Scenario, form: Mapping[str, object], *, key: Id) -> Cast:
    """Return a scenario with the resources of a form in it; raises Conflict for what does not fit."""
    values = kept_values("chat", form)

    def ident(*parts: object) -> Id:
        return derive(key, *(str(p) for p in parts))

    body: Body = scenario.model_dump()
    situation = values.get("scenarios")
    if isinstance(situation, LobbyScenario):
        body.update(situation.model_dump())
    put_common(body, values, ident)
    beside = put_scenario(body, values, ident)
    try:
        return Cast(
            scenario=Scenario.model_validate(body),
            persona=_persona(values, beside),
            documents=_documents(values, beside),
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(p) for p in first["loc"])
        raise Conflict(f"The draft does not fit the scenario: {where}: {first['msg']}.") from error


def _persona(values: Mapping[str, BaseModel], beside: Sequence[tuple[str, Body]]) -> Persona | None:
    if isinstance(values.get("personas"), PersonaLink):
        return None
    return next((Persona.model_validate(b) for kind, b in beside if kind == "persona"), None)


def _documents(values: Mapping[str, BaseModel], beside: Sequence[tuple[str, Body]]) -> list[Document] | None:
    if "documents" not in values or isinstance(values["documents"], DocumentLinks):
        return None
    return [Document.model_validate(b) for kind, b in beside if kind == "document"]
