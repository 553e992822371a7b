"""Who may do what with tests: authors of the organisation run them, ops follow, learners see nothing."""

from schemas.envelope import Id
from schemas.test import Invocation, Test
from server.engine.access import Identity
from server.errors import Forbidden, GreenroomError, NotFound
from server.store import Store


def refusal(caller: Identity, what: str, *, org: str | None) -> GreenroomError | None:
    """Return why a caller may not act on something of an organisation (None: it is missing)."""
    if org is None or org != caller.org or not caller.sees_all:
        return NotFound(f"There is no such {what}, or you may not see it.")
    return None if caller.is_author else Forbidden(f"Your role may follow this {what}, not change it.")


async def test_of(store: Store, caller: Identity, test_id: Id) -> Test:
    """Return a test that a caller may act on; raises NotFound or Forbidden."""
    test = await store.tests.get(test_id)
    error = refusal(caller, "test", org=test.org if test else None)
    if test is None or error is not None:
        raise error or NotFound()
    return test


async def invocation_of(
    store: Store, caller: Identity, invocation_id: Id, *, test: Test | None = None
) -> Invocation:
    """Return an invocation that a caller may act on, of a test if one is given; raises the refusal."""
    if test is not None and invocation_id not in test.invocation_ids:
        raise NotFound("test_invocation_id: the invocation does not belong to this test.")
    invocation = await store.invocations.get(invocation_id)
    error = refusal(caller, "invocation", org=invocation.org if invocation else None)
    if invocation is None or error is not None:
        raise error or NotFound()
    return invocation
