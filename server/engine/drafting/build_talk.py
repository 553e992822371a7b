"""Bodies of personas, scenarios, rubrics and documents from resources. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from schemas.content import ContentKind
from schemas.envelope import Id
from server.engine.drafting.resources_common import (
    Descriptions,
    DocumentPart,
    Instructions,
    Names,
    ParameterFields,
    PersonaPart,
    RubricPart,
    Voices,
)
from server.engine.drafting.resources_kept import DocumentLinks, ImageLinks, PersonaLink, VideoLinks
from server.engine.drafting.resources_talk import (
    Colors,
    Documents,
    Examples,
    Icons,
    Objectives,
    Options,
    PassPoints,
    PersonaFlags,
    Personas,
    Points,
    ProblemStatements,
    Questions,
    RubricFlags,
    ScenarioFlags,
    StandardGroups,
    Standards,
)

Body = dict[str, Any]
Ident = Callable[..., Id]
Values = Mapping[str, BaseModel]
PASS_SHARE = 0.6
SEVERAL_JUDGES = 3


def put_common(body: Body, values: Values, ident: Ident) -> None:
    """Put what every artifact may have."""
    for value in values.values():
        if isinstance(value, Names):
            body["name"] = value.name
        elif isinstance(value, Descriptions):
            body["description"] = value.description
        elif isinstance(value, Instructions):
            body["instructions"] = value.instructions
        elif isinstance(value, Voices):
            body["voice"] = value.voice
        elif isinstance(value, ParameterFields):
            body["parameter_fields"] = [
                {"id": ident("parameter_fields", i), **item.model_dump()}
                for i, item in enumerate(value.parameter_fields)
            ]


def put_persona(body: Body, values: Values) -> None:
    """Put what only personas have."""
    for value in values.values():
        if isinstance(value, Colors | Icons | Examples | PersonaFlags):
            body.update(value.model_dump())


def persona_body(part: PersonaPart, key: Id) -> Body:
    """Return the body of a persona that was made as a part of something else."""
    return {"id": key, **part.model_dump()}


def document_body(part: DocumentPart, key: Id) -> Body:
    """Return the body of a document that was made as a part of something else."""
    return {"id": key, **part.model_dump()}


def put_scenario(body: Body, values: Values, ident: Ident) -> list[tuple[ContentKind, Body]]:
    """Put what scenarios have; return the persona and documents that are to exist beside it."""
    beside: list[tuple[ContentKind, Body]] = []
    for value in values.values():
        if isinstance(value, ProblemStatements | Objectives):
            body.update(value.model_dump())
        elif isinstance(value, ScenarioFlags):
            flags = value.model_dump()
            body["persona_speaks_first"] = flags.pop("persona_speaks_first")
            body["template"] = {**body.get("template", {}), **flags}
        elif isinstance(value, Personas):
            beside.append(("persona", persona_body(value, ident("personas"))))
            body["persona_id"] = ident("personas")
        elif isinstance(value, PersonaLink):
            body["persona_id"] = value.persona_id
        elif isinstance(value, Documents):
            made = [document_body(d, ident("documents", i)) for i, d in enumerate(value.documents)]
            beside += [("document", d) for d in made]
            body["document_ids"] = [d["id"] for d in made]
        elif isinstance(value, DocumentLinks):
            body["document_ids"] = value.document_ids
        elif isinstance(value, ImageLinks):
            body["images"] = media(value, ident)
        elif isinstance(value, VideoLinks):
            body["videos"] = media(value, ident)
            body["template"] = {**body.get("template", {}), "video_enabled": True}
    _put_questions(body, values, ident)
    return beside


def media(value: ImageLinks | VideoLinks, ident: Ident) -> list[Body]:
    """Return images or videos as content has them."""
    kind, items = ("images", value.images) if isinstance(value, ImageLinks) else ("videos", value.videos)
    return [{"id": ident(kind, i), **item.model_dump()} for i, item in enumerate(items)]


def _put_questions(body: Body, values: Values, ident: Ident) -> None:
    questions, options = values.get("questions"), values.get("options")
    if isinstance(questions, Questions):
        body["questions"] = [
            {"id": ident("questions", i), **q.model_dump(), "options": []}
            for i, q in enumerate(questions.questions)
        ]
        body["template"] = {**body.get("template", {}), "questions_enabled": True}
    if not isinstance(options, Options):
        return
    asked = [dict(q) for q in body.get("questions", [])]
    for item in options.options:
        if item.question <= len(asked):
            asked[item.question - 1]["options"] = [
                {"id": ident("options", item.question, i), **o.model_dump()}
                for i, o in enumerate(item.options)
            ]
    for question in asked:
        right = sum(o["is_correct"] for o in question["options"])
        question["allow_multiple"] = question.get("allow_multiple", False) or right > 1
    body["questions"] = asked


def put_rubric(body: Body, values: Values, ident: Ident) -> None:
    """Put the criteria and levels of a rubric, and make its points add up."""
    groups, standards = values.get("standard_groups"), values.get("standards")
    if isinstance(groups, StandardGroups):
        body["groups"] = [
            {"id": ident("groups", i), **g.model_dump(), "standards": []} for i, g in enumerate(groups.groups)
        ]
    found = [dict(g) for g in body.get("groups", [])]
    if isinstance(standards, Standards):
        for number, group in enumerate(found, start=1):
            of = [s.model_dump(exclude={"group"}) for s in standards.standards if s.group == number]
            group["standards"] = [{**s, "id": ident("standards", number, i)} for i, s in enumerate(of)]
    flags, points, passing = values.get("flags"), values.get("points"), values.get("pass_points")
    if isinstance(flags, RubricFlags):
        body["judges"] = SEVERAL_JUDGES if flags.several_judges else 1
    body["groups"] = found
    adjust(
        body,
        points=points.points if isinstance(points, Points) else None,
        pass_points=passing.pass_points if isinstance(passing, PassPoints) else None,
    )


def rubric_body(part: RubricPart, key: Id, ident: Ident) -> Body:
    """Return the body of a rubric that was made as a part of something else."""
    body: Body = {"id": key, "name": part.name, "description": part.description}
    body["groups"] = [
        {
            "id": ident(key, "groups", i),
            "name": c.name,
            "description": c.description,
            "standards": [
                {"id": ident(key, "standards", i, j), **level.model_dump()}
                for j, level in enumerate(c.levels)
            ],
        }
        for i, c in enumerate(part.criteria)
    ]
    adjust(body, points=None, pass_points=None)
    return body


def adjust(body: Body, *, points: float | None, pass_points: float | None) -> None:
    """Make points add up: a group has those of its best level, a rubric the sum of its groups.

    With `points` all are scaled to that sum. What it takes to pass is kept as a share of the points.
    """
    groups = body["groups"]
    best = [max((s["points"] for s in g["standards"]), default=0.0) for g in groups]
    total = sum(best)
    factor = points / total if points and total else 1.0
    for group, top in zip(groups, best, strict=True):
        wanted, claimed = group.get("pass_points"), group.get("points")
        share = wanted / claimed if wanted is not None and claimed else PASS_SHARE
        for standard in group["standards"]:
            standard["points"] = round(standard["points"] * factor, 2)
        group["points"] = round(top * factor, 2)
        group["pass_points"] = round(min(1.0, share) * group["points"], 2)
    before, old_pass = body.get("points"), body.get("pass_points")
    body["points"] = sum(g["points"] for g in groups)
    if pass_points is not None:
        body["pass_points"] = min(pass_points, body["points"])
    else:
        share = old_pass / before if old_pass is not None and before else PASS_SHARE
        body["pass_points"] = round(min(1.0, share) * body["points"], 2)
