"""Words that every format of a report shares."""

from typing import Final

from schemas.grade import Grade
from schemas.test import Invocation, Run
from server.engine.replay.figures import Outcome, latest_grade

DEFAULT_MODEL: Final = "the server's model"
WORDS: dict[Outcome, str] = {
    "passed": "passed",
    "not_passed": "not passed",
    "failed": "failed",
    "ungraded": "not graded",
    "unfinished": "not finished",
}


def model_of(invocation: Invocation) -> str:
    """Return the model that an invocation asks for."""
    return invocation.agent.model or DEFAULT_MODEL


def title_of(run: Run) -> str:
    """Return a run's name among those of its invocation: with its position, and its cycle past the first."""
    again = f" (cycle {run.cycle})" if run.cycle > 1 else ""
    return f"{run.position:03d} {run.name}{again}"


def score_of(grade: Grade) -> str:
    """Return a grade in one line."""
    return f"{grade.score:g} of {grade.total_points:g} points, {grade.pass_points:g} needed"


def feedback_of(run: Run) -> str:
    """Return what the judge says of a run: the description, and a line for each criterion."""
    grade = latest_grade(run)
    if grade is None:
        return ""
    criteria = (f"{g.name}: {g.points:g} of {g.total_points:g}. {g.feedback}" for g in grade.groups)
    return "\n".join(line for line in (grade.description, *criteria) if line)
