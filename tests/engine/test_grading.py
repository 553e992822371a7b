"""Grading through a scripted model over HTTP."""

import asyncio

import pytest

from schemas.attempt import AttemptGradingProgress
from server.engine.grading import Budget, Grader
from server.errors import Upstream
from server.llm import Models
from server.llm.scripted import ScriptedModel
from tests.engine.grading_cases import (
    GOOD_QUOTE,
    REVIEW,
    TALK,
    Events,
    grade,
    judge_requests,
    make_group,
    make_rubric,
    make_scenario,
    make_task,
    make_transcript,
    uid,
    verdict,
)


async def test_a_grade_is_computed_from_verdicts(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([verdict(3, group="Listening"), verdict(2, group="Clarity"), *REVIEW])
    result, _ = await grade(models, make_task())
    assert (result.score, result.total_points, result.percentage, result.passed) == (6, 8, 75, True)
    assert [(g.name, g.points, g.passed, g.feedback) for g in result.groups] == [
        ("Listening", 4, True, "Level 3."),
        ("Clarity", 2, True, "Level 2."),
    ]
    assert [g.standard_id for g in result.groups] == [uid("Listening-3"), uid("Clarity-2")]
    assert [q.message_id for q in result.groups[0].quotes] == [TALK[1].id]
    assert result.description.startswith("6 of 8 points (75%), passed: 4 were needed.")
    assert (result.time_taken, result.agreement, len(result.judges)) == (61.5, None, 1)
    assert result.judges[0].points == {uid("Listening"): 4, uid("Clarity"): 2}
    assert result.usage is not None
    assert result.usage.prompt_tokens == sum(
        len("\n".join(m["content"] for m in r.messages).split()) for r in scripted.requests
    )


async def test_progress_is_reported_in_order(models: Models) -> None:
    result, events = await grade(models, make_task())
    steps = events.entries("feedbacks")
    assert all(isinstance(e, AttemptGradingProgress) for e in events[: len(steps)])
    assert all((e.chat_id, e.grade_id) == (uid("chat"), uid("grade")) for e in events)
    assert steps[0] == {"type": "start", "completed_count": 0, "total_count": 2}
    assert [s["completed_count"] for s in steps] == [0, 1, 2]
    reported = {s["standard_group_id"]: s for s in steps[1:]}
    for group in result.groups:
        step = reported[group.standard_group_id]
        assert step["type"] == "standard_graded"
        assert (step["standard_id"], step["points"]) == (group.standard_id, group.points)
        assert (step["feedback"], step["quotes"]) == (group.feedback, [q.model_dump() for q in group.quotes])
    kinds = [e.resource_type for e in events[len(steps) :]]
    assert kinds == ["strengths", "strengths", "improvements", "analyses"]


async def test_feedback_is_checked_against_the_transcript(models: Models) -> None:
    result, events = await grade(models, make_task())
    asking, other = result.strengths
    assert (asking.message_id, [h.section for h in asking.highlights]) == (TALK[1].id, ["What happened?"])
    assert (other.message_id, other.highlights) == (None, [])  # m1 is the persona's
    (better,) = result.improvements
    assert [r.model_dump() for r in better.replacements] == [
        {"section": "a date that works", "replace": "a date and a first step", "idx": 0}
    ]
    assert result.analyses == ["It went[31m well."]
    assert events.entries("strengths")[0] == asking.model_dump(mode="json")
    assert events.entries("improvements") == [better.model_dump(mode="json")]
    assert events.entries("analyses") == [{"content": "It went[31m well."}]


async def test_kinds_limit_what_is_made(scripted: ScriptedModel, models: Models) -> None:
    result, events = await grade(models, make_task(kinds=frozenset({"strengths", "improvements"})))
    assert {g.feedback for g in result.groups} == {""}
    assert (result.score, result.analyses) == (4, [])
    assert result.strengths[0].highlights == []
    assert result.improvements[0].replacements == []
    assert events.entries("feedbacks")[1]["feedback"] == ""
    assert "AnalysesDraft" not in {r.response_format for r in scripted.requests}


async def test_the_scenario_switches_kinds_off(scripted: ScriptedModel, models: Models) -> None:
    scenario = make_scenario(strengths_enabled=False, analyses_enabled=False, replacements_enabled=False)
    result, _ = await grade(models, make_task(scenario=scenario))
    assert (result.strengths, result.analyses) == ([], [])
    assert result.improvements[0].replacements == []
    assert {r.response_format for r in scripted.requests} == {"Verdict", "ImprovementsDraft"}


async def test_false_quotes_are_dropped_and_counted(scripted: ScriptedModel, models: Models) -> None:
    quotes = [GOOD_QUOTE, {"message": "m2", "text": "I apologise"}, {"message": 3, "text": "I work nights."}]
    scripted.script([verdict(2, quotes=quotes), *REVIEW])
    result, _ = await grade(models, make_task())
    assert [(q.message_id, q.text) for q in result.groups[0].quotes] == [
        (TALK[1].id, "What happened?"),
        (TALK[2].id, "I work nights."),
    ]
    assert result.groups[0].dropped_quotes == 1


@pytest.mark.parametrize(("level", "score"), [(999, 8), (-3, 0), (0, 0)])
async def test_levels_and_totals_of_a_model_are_clamped_and_ignored(
    scripted: ScriptedModel, models: Models, level: int, score: float
) -> None:
    scripted.script([verdict(level, points=1_000, score=1_000, total=1_000, passed=True), *REVIEW])
    result, _ = await grade(models, make_task())
    assert (result.score, result.passed) == (score, score >= 4)


async def test_sums_are_exact(scripted: ScriptedModel, models: Models) -> None:
    groups = [make_group(f"Group {i}", (0, 0.1), pass_points=0) for i in range(10)]
    rubric = make_rubric(*groups, pass_points=0.9).model_copy(update={"pass_points": 1.0, "points": 1.0})
    result, _ = await grade(models, make_task(rubric=rubric))
    assert (result.score, result.percentage, result.passed) == (1.0, 100.0, True)


@pytest.mark.parametrize("texts", [(), ("Hello, what do you need?",), ("Hello?", " \n")])
async def test_silence_gets_the_lowest_standards_without_a_model(
    scripted: ScriptedModel, models: Models, texts: tuple[str, ...]
) -> None:
    result, events = await grade(models, make_task(transcript=make_transcript(*texts)))
    assert scripted.requests == []
    assert (result.score, result.passed, result.judges, result.usage) == (0, False, [], None)
    assert all("You said nothing" in g.feedback and not g.quotes for g in result.groups)
    assert result.description.startswith("You said nothing in this conversation")
    assert [e["completed_count"] for e in events.entries("feedbacks")] == [0, 1, 2]


async def test_several_judges_agree_on_the_median(scripted: ScriptedModel, models: Models) -> None:
    # The judges differ in temperature only on the wire, so each takes one of the limited rules.
    once = [verdict(level, group="Listening") | {"times": 1} for level in (1, 3, 3)]
    scripted.script([*once, verdict(2, group="Clarity"), *REVIEW])
    result, events = await grade(models, make_task(rubric=make_rubric(judges=3)))
    assert [g.points for g in result.groups] == [4, 2]
    assert result.groups[0].feedback == "Level 3."
    assert sorted(note.points[uid("Listening")] for note in result.judges) == [0, 4, 4]
    assert result.agreement is not None
    assert result.agreement < 1
    assert len(events.entries("feedbacks")) == 3
    asked = [r for r in judge_requests(scripted) if "Criterion: Listening" in r.messages[0]["content"]]
    assert sorted(r.body["temperature"] for r in asked) == [0.0, 0.2, 0.4]
    assert len({r.messages[1]["content"].split("\n")[0] for r in asked}) == 3  # three marks


async def test_judges_that_say_the_same_agree_fully(models: Models) -> None:
    result, _ = await grade(models, make_task(rubric=make_rubric(judges=2)))
    assert (result.agreement, result.score) == (1.0, 4)


async def test_a_failing_group_fails_the_grading_and_cancels_the_others(
    scripted: ScriptedModel, models: Models
) -> None:
    failing = {"match": {"system_contains": "Criterion: Clarity"}, "status": 400, "first_delay_ms": 200}
    hanging = {"match": {"system_contains": "Criterion: Listening"}, "hang": True}
    scripted.script([failing, hanging])
    events = Events()
    with pytest.raises(Upstream):
        await Grader(models).grade(make_task(), events.emit)
    assert len(await scripted.until("closed_by_client")) == 1
    assert [e["type"] for e in events.entries("feedbacks")] == ["start"]


async def test_cancelling_stops_the_model_calls(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"hang": True}])
    grading = asyncio.create_task(Grader(models).grade(make_task(), Events().emit))
    await scripted.until("running", 2)
    grading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await grading
    assert len(await scripted.until("closed_by_client", 2)) == 2


async def test_a_run_is_graded_without_events(models: Models) -> None:
    result, events = await grade(models, make_task(chat_id=None, run_id=uid("run"), scenario=None))
    assert (result.chat_id, result.run_id, result.score) == (None, uid("run"), 4)
    assert events == []


async def test_a_long_transcript_is_cut_and_said_so(scripted: ScriptedModel, models: Models) -> None:
    talk = make_transcript(*(f"turn {i} " + "word " * 40 for i in range(40)))
    events = Events()
    grader = Grader(models, budget=Budget(transcript=2_000, authored=1_000))
    result = await grader.grade(make_task(transcript=talk), events.emit)
    assert "oldest messages were not read" in result.description
    assert all(len(r.messages[-1]["content"]) < 2_200 for r in scripted.requests)
    assert all("turn 39" in r.messages[-1]["content"] for r in scripted.requests)


async def test_a_model_that_is_no_judge_says_so(scripted: ScriptedModel) -> None:
    models = Models(base_url=await scripted.start(), api_key=None, model="smollm2-135m", retries=0)
    result, _ = await grade(models, make_task())
    await models.aclose()
    sentence = "This grade was made by a small model that is no judge; do not rely on it."
    assert result.description.startswith(sentence + " 4 of 8 points")
    assert [(note.model, note.reliable, note.note) for note in result.judges] == [
        ("smollm2-135m", False, sentence)
    ]
    assert result.score == 4


async def test_the_judge_model_judges(scripted: ScriptedModel) -> None:
    base_url = await scripted.start()
    models = Models(base_url=base_url, api_key=None, model="chat", judge_model="judge", retries=0)
    result, _ = await grade(models, make_task())
    await models.aclose()
    assert {r.model for r in scripted.requests} == {"judge"}
    assert (result.judges[0].model, result.judges[0].reliable) == ("judge", True)
