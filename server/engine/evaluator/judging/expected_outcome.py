"""What should have come of a run: split into outcomes, each met or not."""

from typing import Annotated

from pydantic import BaseModel, Field

from schemas.evaluator import EvaluatorScenario
from schemas.evaluator_run import ExpectedOutcome, Outcome
from server.engine.evaluator.judging.inquiry import Inquiry
from server.engine.grading.fields import AtMost, Paragraph, Prose, clean
from server.engine.grading.transcript import clip

MAX_OUTCOMES = 20
TASK = (
    "You judge whether a conversation between a caller and an agent came to what its author expected of the"
    " agent. Split the expectation into the separate outcomes that it names, in its order and in its words,"
    " without adding any; an expectation that names one thing is one outcome. For each first explain in one"
    " to three sentences which messages show that it came about or did not, then say whether it is met. What"
    " cannot be seen in the messages did not happen; an outcome that is met in part is not met. The agent is"
    " judged; the caller's words are context."
)


class OutcomeVerdict(BaseModel):
    """One outcome as the judge sees it: the reason first, so that the verdict follows from it."""

    outcome: Prose
    explanation: Paragraph
    met: bool


class OutcomesVerdict(BaseModel):
    """What the judge answers."""

    outcomes: Annotated[list[OutcomeVerdict], Field(min_length=1), AtMost(MAX_OUTCOMES)]


async def judge_outcome(inquiry: Inquiry, scenario: EvaluatorScenario) -> ExpectedOutcome:
    """Return how many of the expected outcomes came about, from 0 to 100. Raises Upstream."""
    share = inquiry.budget.share(2)
    task = f"{TASK}\nThe expectation:\n{clip(scenario.expected_outcome_prompt, share)}"
    verdict = await inquiry.ask(OutcomesVerdict, task)
    outcomes = [
        Outcome(outcome=clean(o.outcome), met=o.met, explanation=clean(o.explanation))
        for o in verdict.outcomes
    ]
    score = round(100 * sum(o.met for o in outcomes) / len(outcomes), 2)
    return ExpectedOutcome(
        score=score,
        passed=score >= scenario.pass_score,
        pass_score=scenario.pass_score,
        outcomes=outcomes,
    )
