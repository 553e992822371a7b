"""Replay equals reality: the folded log equals the store for every event of a test (core §9)."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import orjson
import pytest

from schemas.events import EXTRA_SERVER_EVENTS, SERVER_EVENTS
from server.rooms.folds import FOLDS, TEST_EVENTS, Fold, State
from server.rooms.folds.test import MAX_RUNS
from server.transports import keys
from tests.conftest import Cast
from tests.fold.trial_oracle import check_trial
from tests.support.attempts import FULL_MARKS
from tests.support.clients import Socket
from tests.support.running import Server
from tests.support.trials import HANGING, LOOKUP, Trial, as_state, begin

RUN = {"test_run_start", "test_progress", "test_run_complete"}
PRIVATE = {"test_joined"}  # never an entry
OWN_ROOM = {"test_started"}
LOOKS = 20  # of some milliseconds


class Play:
    """One author at tests; every look compares all rooms with the store."""

    def __init__(self, server: Server, author: Socket) -> None:
        self.server = server
        self.author = author
        self.trials: list[Trial] = []

    async def begin(self, key: str = "desk", **more: object) -> Trial:
        """Start a test that is looked at."""
        trial = await begin(self.author, key, **more)
        self.trials.append(trial)
        return trial

    async def names(self) -> set[str]:
        """Check every room against the store and return the events that were in them.

        What is under way is in the store before it is told, so that they may agree only a moment later.
        """
        for _ in range(LOOKS):
            with suppress(AssertionError):
                return await self._looked()
        return await self._looked()

    async def _looked(self) -> set[str]:
        await self.server.app[keys.HUB].log.flush()
        store = self.server.app[keys.STORE]
        found = [await check_trial(store, i["invocation_id"]) for t in self.trials for i in t.invocations]
        return set().union(*found)


async def replays(play: Play) -> None:
    await play.server.script(LOOKUP)
    trial = await play.begin()
    for name in ("greeting", "order", "short"):
        await trial.run(name)
        await play.names()
    await play.author.until("test_all_complete")


async def failures(play: Play) -> None:
    broken = {"chunks": ["Half ", "of "], "break_after": 1}
    await play.server.script(broken)
    trial = await play.begin("two-agents")
    run_id = await trial.send("short")
    await play.author.until("test_error", run_id=run_id)
    await play.author.until("test_all_complete", success=False)
    await play.names()
    await play.server.script()
    await trial.run("short")
    await play.author.until("test_all_complete", success=True)


async def stopping(play: Play) -> None:
    await play.server.script(HANGING)
    trial = await play.begin()
    run_id = await trial.send("greeting")
    await trial.hears(run_id, "Half of it")
    await play.names()
    await play.author.send("test_stop", invocation_id=trial.invocation_id)
    await play.author.until("test_stopped")
    await play.author.send("test_stop", invocation_id=trial.invocation_id)
    await play.names()
    await play.server.script()
    await trial.run("greeting")


async def grading(play: Play) -> None:
    await play.server.script(*FULL_MARKS)
    trial = await play.begin()
    run_id = await trial.run("short")
    for count in (1, 2):
        await play.author.send("test_end", **trial.ids, run_id=run_id)
        await play.author.until("test_graded", count=count)
        await play.names()
    await play.server.script({"match": {"schema": "Verdict"}, "status": 400})
    await play.author.send("test_end", **trial.ids, run_id=run_id)
    await play.author.until("test_error", error_type="end")


async def cycles(play: Play) -> None:
    trial = await play.begin("two-agents", infinite_mode=True)
    await play.author.send("test_group", **trial.ids)
    await play.author.until("test_all_complete", cycle=3)
    await play.author.send("test_end_all", test_id=trial.test_id)


SCENES: dict[Callable[[Play], Awaitable[None]], set[str]] = {
    replays: {*RUN, "test_all_complete"},
    failures: {*RUN, "test_error", "test_all_complete"},
    stopping: {*RUN, "test_stopped"},
    grading: {*RUN, "test_graded", "test_error"},
    cycles: {*RUN, "test_all_complete"},
}


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_the_log_folds_to_the_store(
    server: Server, cast: Cast, scene: Callable[[Play], Awaitable[None]]
) -> None:
    play = Play(server, await cast.author())
    await scene(play)
    assert SCENES[scene] <= await play.names()


def test_every_event_that_can_be_an_entry_is_covered() -> None:
    shown = set().union(*SCENES.values())
    known = {name for name in (*SERVER_EVENTS, *EXTRA_SERVER_EVENTS) if name.startswith("test_")}
    assert shown == known - PRIVATE - OWN_ROOM
    assert shown == TEST_EVENTS


def test_the_fold_of_endless_cycles_is_bounded() -> None:
    fold, sizes = FOLDS["test"], []
    state = fold.initial()
    start(fold, state, "first")
    for number in range(3 * MAX_RUNS):
        start(fold, state, str(number))
        fold.step(state, "test_run_complete", {"run_id": str(number), "tool_calls": 1})
        sizes.append(len(orjson.dumps(state)))
    assert max(sizes) < 1.1 * sizes[MAX_RUNS]
    shown = fold.show(state)
    ids = [run["run_id"] for run in shown["runs"]]
    assert ids == ["first", *(str(n) for n in range(2 * MAX_RUNS + 1, 3 * MAX_RUNS))]
    assert (shown["more"], [r["run_id"] for r in shown["running"]]) == (True, ["first"])
    assert fold.show(as_state(shown)) == shown
    fold.step(state, "test_graded", {"run_id": "1", "grade_id": "forgotten"})
    assert fold.show(state) == shown


def start(fold: Fold, state: State, run_id: str) -> None:
    """Let a replay of a recorded run of its own begin."""
    at = {"current_run": 1, "created_at": "2026-01-01T00:00:00.000Z"}
    fold.step(state, "test_run_start", {"run_id": run_id, "original_run_resource_id": run_id, **at})
