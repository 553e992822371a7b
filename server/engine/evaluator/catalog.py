"""What results are made of, as somebody keeps it: agents, scenarios and what these name."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from schemas.evaluator import AiAgent, AnyResource, EvaluatorScenario, ResourceKind


class Catalog(Protocol):
    """Reads an organisation's resources; what is not there, or is another organisation's, is left out."""

    async def agent(
        self, org: str, *, agent_id: str | None = None, assistant_id: str | None = None
    ) -> tuple[int, AiAgent] | None:
        """Return an agent with its number, by that or by its assistant's id, each compared as text."""

    async def scenarios(
        self,
        org: str,
        *,
        ids: Sequence[int] | None = None,
        first: int | None = None,
        all_: bool = False,
        tags: Sequence[str] | None = None,
        agent: int | None = None,
    ) -> Mapping[int, EvaluatorScenario]:
        """Return scenarios by number, in order: those with these ids, or the first so many, or all.

        With `tags` only those that have one of them; with `agent` only those of an agent.
        """

    async def many(self, org: str, kind: ResourceKind, ids: Iterable[int]) -> Mapping[int, AnyResource]:
        """Return resources of a kind by number."""
