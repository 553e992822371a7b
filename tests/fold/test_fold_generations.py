"""Replay equals reality: an author's folded room equals the stored runs of generate, at every offset."""

from server.rooms.folds import FOLDS
from server.store import Store
from server.transports import keys
from tests.conftest import Cast
from tests.fold.oracle import check_splits, fold_of, log_of, shown_by
from tests.support.clients import Socket
from tests.support.generating import PERSONA, complete, failed, generate
from tests.support.running import Server

EVENTS = {"generation_progress", "generation_saved", "generation_complete", "generation_error"}


async def check(store: Store, room: str) -> set[str]:
    """Check that a room's log, folds of parts of it and the store agree; return the events' names."""
    rows = await log_of(store, room)
    shown = shown_by(room, rows)
    for told in shown["generations"]:
        run = await store.generations.get(told["run_id"])
        assert run is not None
        assert (told["state"], told["artifact_type"]) == (run.state, run.artifact_type)
        assert told["resources"] == [made.type for made in run.made]
        assert told.get("artifact_id") == run.saved_id
        if run.made:
            assert told["total_resources"] == len(run.steps)
    check_splits(room, rows)
    fold = FOLDS["profile"]
    for at in range(len(rows) + 1):
        assert fold.show(fold_of(fold, rows[at:], fold_of(fold, rows[:at]))) == shown, f"cut at {at}"
    return {row.name for row in rows}


async def saves(server: Server, author: Socket) -> None:
    await server.script(*PERSONA)
    await complete(author, await generate(author, "persona", "names", "instructions", save=True))


async def shows(server: Server, author: Socket) -> None:
    await server.script(*PERSONA)
    await complete(author, await generate(author, "persona", "names", "colors"))


async def fails_halfway(server: Server, author: Socket) -> None:
    await server.script({"match": {"schema": "Colors"}, "status": 400}, *PERSONA)
    await failed(author, await generate(author, "persona", "names", "colors", save=True))


async def test_the_log_of_generations_folds_to_what_is_stored(server: Server, cast: Cast) -> None:
    author = await cast.author()
    store = server.app[keys.STORE]
    room = f"profile_{cast.author_id}"
    seen: set[str] = set()
    for play in (saves, shows, fails_halfway):
        await play(server, author)
        await server.app[keys.HUB].log.flush()
        seen |= await check(store, room)
    assert seen >= EVENTS
