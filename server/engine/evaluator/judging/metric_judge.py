"""Metrics that a model judges: one question, and an answer of the metric's type."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema, create_model

from schemas.evaluator import Metric
from server.engine.evaluator.judging.inquiry import Inquiry
from server.engine.grading.fields import Paragraph, clean
from server.engine.grading.transcript import clip

MAX_RATING = 5.0
TASK = (
    "You judge a conversation between a caller and an agent by one question. First explain in one to three"
    " sentences which messages decide it, then answer. What cannot be seen in the messages did not happen."
    " The agent is judged; the caller's words are context unless the question asks about them."
)
_FORMS = {
    "binary": "Answer true or false.",
    "continuous_qualitative": f"Answer with a rating from 0 (worst) to {MAX_RATING:g} (best).",
    "numeric": "Answer with the number that is asked for, or null when the messages do not tell it.",
    "enum": "Answer with exactly one of the options.",
}


class BinaryAnswer(BaseModel):
    """An answer by yes or no."""

    explanation: Paragraph
    value: bool


class RatingAnswer(BaseModel):
    """An answer by a rating."""

    explanation: Paragraph
    value: Annotated[float, Field(ge=0, le=MAX_RATING, allow_inf_nan=False)]


class NumberAnswer(BaseModel):
    """An answer by a number, where there is one."""

    explanation: Paragraph
    value: Annotated[float, Field(allow_inf_nan=False)] | None


class ChoiceAnswer(BaseModel):
    """An answer by one of some options."""

    explanation: Paragraph
    value: str


Answer = BinaryAnswer | RatingAnswer | NumberAnswer | ChoiceAnswer


async def judge_metric(inquiry: Inquiry, metric: Metric) -> Answer:
    """Return the model's answer to a metric's question, of the type that the metric has. Raises Upstream."""
    share = inquiry.budget.share(2)
    question = f"The question ({clip(metric.name, 80)}):\n{clip(metric.prompt or metric.description, share)}"
    answer: Answer = await inquiry.ask(
        _form(metric), "\n".join([TASK, _FORMS[metric.eval_type], *_options(metric), question])
    )
    return answer.model_copy(update={"explanation": clean(answer.explanation)})


def _options(metric: Metric) -> list[str]:
    return (
        ["The options:", *(f"- {option}" for option in metric.options)] if metric.eval_type == "enum" else []
    )


def _form(metric: Metric) -> type[Answer]:
    if metric.eval_type == "binary":
        return BinaryAnswer
    if metric.eval_type == "continuous_qualitative":
        return RatingAnswer
    return NumberAnswer if metric.eval_type == "numeric" else _choice(metric.options)


def _choice(options: list[str]) -> type[ChoiceAnswer]:
    def known(value: str) -> str:
        if value not in options:
            raise ValueError(f"must be one of {', '.join(options)}")
        return value

    one = Annotated[str, AfterValidator(known), WithJsonSchema({"type": "string", "enum": options})]
    return create_model("ChoiceAnswer", __base__=ChoiceAnswer, value=(one, Field()))
