"""Verbs of generate: what models make in tests, and runs to their end."""

from typing import Any

from tests.support.clients import Recorder, Socket

Data = dict[str, Any]
INSTRUCTIONS = "You are Nia, a nurse at the end of a double shift. SECRET-GENERATED"
PERSONA: list[Data] = [
    {"match": {"schema": "Names"}, "json": {"name": "Nia"}},
    {"match": {"schema": "Descriptions"}, "json": {"description": "A tired nurse."}},
    {"match": {"schema": "Instructions"}, "json": {"instructions": INSTRUCTIONS}},
    {"match": {"schema": "Colors"}, "json": {"color": "#2f7d6d"}},
    {"match": {"schema": "Icons"}, "json": {"icon": "🩺"}},
]

CRITERION: Data = {
    "name": "Care",
    "description": "Does the learner care?",
    "levels": [
        {"level": 1, "name": "No", "points": 0, "description": "Does not ask."},
        {"level": 2, "name": "Yes", "points": 3, "description": "Asks."},
    ],
}
RUBRIC_PART: Data = {"name": "Care", "description": "How it went.", "criteria": [CRITERION]}
SCENARIO_PART: Data = {
    "name": "Late parcel",
    "description": "A parcel is late.",
    "problem_statement": "Tell her.",
    "objectives": ["Say sorry."],
    "situation": "You are tired.",
    "persona": {"name": "Nia", "description": "A nurse.", "instructions": INSTRUCTIONS},
}
PARTS: list[Data] = [
    *PERSONA,
    {"match": {"schema": "ProblemStatements"}, "json": {"problem_statement": "Nia waits for her parcel."}},
    {"match": {"schema": "Objectives"}, "json": {"objectives": ["Say sorry.", "Find a way."]}},
    {"match": {"schema": "Personas"}, "json": SCENARIO_PART["persona"]},
    {
        "match": {"schema": "Documents"},
        "json": {"documents": [{"name": "Slip", "text": "Nobody home.", "known_to_persona": False}]},
    },
    {
        "match": {"schema": "Questions"},
        "json": {"questions": [{"text": "What now?", "allow_multiple": False}]},
    },
    {
        "match": {"schema": "Options"},
        "json": {
            "options": [
                {
                    "question": 1,
                    "options": [{"text": "Ask", "is_correct": True}, {"text": "Leave", "is_correct": False}],
                }
            ]
        },
    },
    {
        "match": {"schema": "StandardGroups"},
        "json": {
            "groups": [
                {"name": "Care", "description": "Cares?", "points": 5, "pass_points": 3},
                {"name": "Speed", "description": "Fast?", "points": 5, "pass_points": 2},
            ]
        },
    },
    {
        "match": {"schema": "Standards"},
        "json": {
            "standards": [
                {"group": g, "level": n, "name": f"L{n}", "points": n * 2, "description": "Seen."}
                for g in (1, 2)
                for n in (0, 1)
            ]
        },
    },
    {"match": {"schema": "Points"}, "json": {"points": 10}},
    {"match": {"schema": "PassPoints"}, "json": {"pass_points": 7}},
    {"match": {"schema": "Scenarios"}, "json": {"scenarios": [SCENARIO_PART]}},
    {
        "match": {"schema": "ScenarioRubrics"},
        "json": {"rubrics": [RUBRIC_PART], "assigned": [{"item": 1, "rubric": 1}]},
    },
    {
        "match": {"schema": "ScenarioTimeLimits"},
        "json": {"time_limits": [{"scenario": 1, "time_limit": 600}]},
    },
    {
        "match": {"schema": "FlagsOfScenarios"},
        "json": {"flags": [{"scenario": 1, "flag": "hints_enabled", "value": True}]},
    },
    {"match": {"schema": "Choices"}, "json": {"choices": [1]}},
    {"match": {"schema": "Choice"}, "json": {"choice": 1}},
    {"match": {"schema": "Order"}, "json": {"order": [1]}},
    {"match": {"schema": "Rubrics"}, "json": {"rubrics": [RUBRIC_PART]}},
]


async def generate(
    client: Socket, artifact: str, *resources: Any, operation: str = "create", **more: Any
) -> Data:
    """Start a run that must be taken and return its ack."""
    return await client.send(
        "generate",
        artifact_types=[{"name": artifact, "operation": operation}],
        resource_types=list(resources),
        **more,
    )


async def complete(client: Recorder, ack: Data) -> Data:
    """Wait until a run is complete; an error fails the test."""
    run_id = ack["run_id"]
    await client.when(
        lambda: bool(
            client.named("generation_complete", run_id=run_id)
            + client.named("generation_error", run_id=run_id)
        )
    )
    assert not client.named("generation_error", run_id=run_id), client.named("generation_error")
    return await client.until("generation_complete", run_id=run_id)


async def failed(client: Recorder, ack: Data) -> Data:
    """Wait until a run has failed."""
    error = await client.until("generation_error", run_id=ack["run_id"])
    assert not client.named("generation_complete", run_id=ack["run_id"])
    return error
