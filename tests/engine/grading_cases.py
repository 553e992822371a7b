"""Rubrics, transcripts and tasks for tests of grading."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from schemas.attempt import AttemptContentProgress, Message
from schemas.content import ChatTemplate, Rubric, Scenario, Standard, StandardGroup
from schemas.grade import RESOURCE_TYPES, Grade
from server.engine.grading import Grader, GradingTask
from server.llm import Models
from server.llm.scripted import ScriptedModel, Seen

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def uid(name: str) -> str:
    return str(uuid5(NAMESPACE_OID, name))


def make_group(name: str, points: Sequence[float] = (0, 2, 4), *, pass_points: float = 2) -> StandardGroup:
    standards = [
        Standard(id=uid(f"{name}-{level}"), level=level, points=worth, description=f"{name} at level {level}")
        for level, worth in enumerate(points, start=1)
    ]
    return StandardGroup(
        id=uid(name), name=name, points=max(points), pass_points=pass_points, standards=standards
    )


def make_rubric(*groups: StandardGroup, pass_points: float = 4, judges: int = 1) -> Rubric:
    parts = list(groups) or [make_group("Listening"), make_group("Clarity")]
    total = sum(g.points for g in parts)
    return Rubric(
        id=uid("rubric"),
        name="Office hours",
        points=total,
        pass_points=min(pass_points, total),
        judges=judges,
        groups=parts,
    )


def make_scenario(**template: Any) -> Scenario:
    return Scenario(
        id=uid("scenario"),
        name="A missed deadline",
        problem_statement="Maya has missed a deadline.",
        objectives=["Find out why", "Agree on a next step"],
        situation="SECRET: Maya has two jobs.",
        hint_guidance="Ask before you advise.",
        persona_id=uid("persona"),
        template=ChatTemplate(**template),
    )


def make_transcript(*texts: str) -> list[Message]:
    """Return a conversation that the persona opens."""
    return [
        Message(id=uid(f"message-{i}"), role="assistant" if i % 2 else "user", content=text, created_at=NOW)
        for i, text in enumerate(texts, start=1)
    ]


TALK = make_transcript(
    "I missed the deadline.",
    "That sounds stressful.  What happened?",
    "I work nights.",
    "Let us find a date that works.",
)


def make_task(**changes: Any) -> GradingTask:
    values: dict[str, Any] = {
        "grade_id": uid("grade"),
        "chat_id": uid("chat"),
        "rubric": make_rubric(),
        "scenario": make_scenario(),
        "transcript": TALK,
        "kinds": frozenset(RESOURCE_TYPES),
        "elapsed": 61.5,
    }
    return GradingTask(**{**values, **changes})


class Events(list[AttemptContentProgress]):
    """Collects what a grading emits."""

    async def emit(self, event: AttemptContentProgress) -> None:
        self.append(event)

    def entries(self, resource_type: str) -> list[dict[str, Any]]:
        return [e.entry or {} for e in self if e.resource_type == resource_type]


GOOD_QUOTE = {"message": "m2", "text": "What happened?"}


def verdict(level: int, *, group: str = "", **changes: Any) -> dict[str, Any]:
    value = {"quotes": [GOOD_QUOTE], "feedback": f"Level {level}.", "level": level, **changes}
    match = {"schema": "Verdict"} | ({"system_contains": f"Criterion: {group}"} if group else {})
    return {"match": match, "json": value}


REVIEW = [
    {
        "match": {"schema": "StrengthsDraft"},
        "json": {
            "strengths": [
                {
                    "message": "m2",
                    "highlights": ["What  happened?", "never said"],
                    "name": "Asking",
                    "description": "You asked openly.",
                },
                {"message": "m1", "highlights": ["deadline"], "name": "Other", "description": "Not yours."},
            ]
        },
    },
    {
        "match": {"schema": "ImprovementsDraft"},
        "json": {
            "improvements": [
                {
                    "message": "m4",
                    "replacements": [
                        {"section": "a date that works", "replace": "a date and a first step"},
                        {"section": "never said", "replace": "anything"},
                    ],
                    "name": "Be concrete",
                    "description": "Name the next step.",
                }
            ]
        },
    },
    {"match": {"schema": "AnalysesDraft"}, "json": {"analyses": ["It went\x1b[31m well.", " "]}},
]


async def grade(models: Models, task: GradingTask) -> tuple[Grade, Events]:
    events = Events()
    return await Grader(models).grade(task, events.emit), events


def judge_requests(scripted: ScriptedModel) -> list[Seen]:
    return [r for r in scripted.requests if r.response_format == "Verdict"]
