"""What a result is made of, as it was when it was started."""

from pydantic import BaseModel

from schemas.evaluator import AiAgent, EvaluatorScenario, Metric, Personality, TestProfile
from schemas.evaluator_run import NumberedMetric, RunPlan, Setup
from server.store.packing import pack, unpack


class Frozen(BaseModel):
    """The agent, and all that the runs of a result name, by number.

    `chosen` are the metrics by which the runs are judged anew instead of their scenarios' own.
    """

    agent_id: int
    agent: AiAgent
    scenarios: dict[int, EvaluatorScenario]
    personalities: dict[int, Personality] = {}
    profiles: dict[int, TestProfile] = {}
    metrics: dict[int, Metric] = {}
    chosen: list[int] | None = None

    def setup(self, plan: RunPlan) -> Setup:
        """Return all that a run needs."""
        scenario = self.scenarios[plan.scenario]
        wanted = scenario.metrics if self.chosen is None else self.chosen
        return Setup(
            agent_id=self.agent_id,
            agent=self.agent,
            scenario_id=plan.scenario,
            scenario=scenario,
            personality=self.personalities.get(plan.personality or 0),
            profile=self.profiles.get(plan.test_profile or 0),
            metrics=[NumberedMetric(id=i, metric=self.metrics[i]) for i in wanted if i in self.metrics],
        )

    def packed(self) -> bytes:
        """Return it as it is stored."""
        return pack(self.model_dump_json(by_alias=True).encode())


def thawed(packed: bytes) -> Frozen:
    """Return what was stored; raises ValueError when a piece of it is missing."""
    return Frozen.model_validate_json(unpack(packed))
