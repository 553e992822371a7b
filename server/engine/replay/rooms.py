"""The room of an invocation, and what its snapshot holds besides the folded entries."""

from collections.abc import Awaitable, Callable
from typing import Any

from schemas.envelope import Id, iso
from server.store import Store


def test_room(invocation_id: Id) -> str:
    """Return the room of an invocation."""
    return f"test_{invocation_id}"


def test_base(store: Store) -> Callable[[str], Awaitable[dict[str, Any]]]:
    """Return what an invocation's snapshot holds besides its folded entries: all that never changes."""

    async def base(room: str) -> dict[str, Any]:
        invocation = await store.invocations.get(room.removeprefix("test_"))
        if invocation is None:
            return {}
        return {
            "invocation": {
                "invocation_id": invocation.id,
                "test_id": invocation.test_id,
                "agent": {
                    "id": invocation.agent.id,
                    "name": invocation.agent.name,
                    "model": invocation.agent.model,
                },
                "mode": invocation.mode,
                "concurrency": invocation.concurrency,
                "total_runs": invocation.total_runs,
                "position": invocation.position,
                "created_at": iso(invocation.created_at),
            }
        }

    return base
