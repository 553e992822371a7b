"""Drives the real Outbox through long random schedules, with more packets than a polling answer takes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from server.transports.socketio.outbox import POLL_PACKETS, Outbox
from tests.models.test_outbox import STEP_NAMES, ForgetsOnFailure, World

TWENTY = "send twenty"
LIVELY = [name for name in STEP_NAMES if name not in ("abort", "open a second get")]


class Busy(World):
    """A world in which much is sent."""

    def _send_twenty(self) -> bool:
        assert POLL_PACKETS < 20
        return all(self._send() for _ in range(20))


def violation(make: type[Outbox], steps: list[str]) -> str | None:
    """Return what is wrong after some steps, those that cannot be taken left out."""
    world = Busy(make)
    for name in steps:
        world.step(name)
    return world.violation()


@settings(deadline=None)
@given(st.lists(st.sampled_from([*LIVELY, TWENTY]), max_size=60))
def test_every_long_schedule_delivers_what_was_sent(steps: list[str]) -> None:
    assert violation(Outbox, steps) is None


def test_what_is_lost_is_noticed_here_too() -> None:
    assert violation(ForgetsOnFailure, ["probe", TWENTY, "the upgrade fails"]) is not None
