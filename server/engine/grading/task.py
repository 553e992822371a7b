"""What a grading is given, and where it reports."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from schemas.attempt import AttemptContentProgress, AttemptGradingProgress, Message
from schemas.content import Rubric, Scenario
from schemas.envelope import Id, JsonObject
from schemas.grade import ResourceType
from server.engine.grading.transcript import Graded

Emit = Callable[[AttemptGradingProgress | AttemptContentProgress], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class GradingTask:
    """One transcript and the rubric to judge it by.

    `transcript` is the path from the root, `elapsed` the seconds that the conversation took, `kinds` what is
    wanted besides scores. `instructions` may come from the learner who is graded: they shape strengths,
    improvements and analyses, and never reach a judge. `private` holds what learners must not read, such as
    the persona's instructions: texts of a model that repeat it are left out. Without a `chat_id` nothing is
    emitted; `judged` is told each step of the judges. `graded` says whose part is judged, and
    `reference` is what was said in the recording that the assistant is compared with.
    """

    grade_id: Id
    chat_id: Id | None
    run_id: Id | None = None
    rubric: Rubric
    scenario: Scenario | None
    transcript: Sequence[Message]
    kinds: frozenset[ResourceType]
    instructions: Sequence[str] = ()
    private: Sequence[str] = ()
    elapsed: float
    graded: Graded = "learner"
    reference: Sequence[Message] = ()
    judged: Callable[[JsonObject], Awaitable[None]] | None = None

    def enabled_kinds(self) -> frozenset[ResourceType]:
        """Return the kinds that were asked for and that the scenario's template allows."""
        if self.scenario is None:
            return self.kinds
        template = self.scenario.template
        allowed: dict[ResourceType, bool] = {
            "strengths": template.strengths_enabled,
            "improvements": template.improvements_enabled,
            "analyses": template.analyses_enabled,
            "replacements": template.replacements_enabled,
        }
        return frozenset(kind for kind in self.kinds if allowed.get(kind, True))
