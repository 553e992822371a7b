"""The page's fold of a chat's room comes to the server's state, from every place in the log."""

import asyncio
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from server.store.entries import Row
from server.transports import keys
from tests.clients.node import node
from tests.conftest import Cast
from tests.fold.oracle import log_of, shown_by
from tests.fold.test_fold import SCENES, Play
from tests.support.running import Server

PROGRAMS = Path(__file__).parent.parent.parent / "console" / "tests"
State = dict[str, Any]


async def run(*args: str, given: bytes = b"") -> bytes:
    """Run Node and return what it wrote."""
    process = await asyncio.create_subprocess_exec(node(), *args, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    out, err = await process.communicate(given)
    assert process.returncode == 0, err.decode()
    return out


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def program(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Make one file of the page's fold and what runs it."""
    made = tmp_path_factory.mktemp("fold") / "states.mjs"
    await run(str(PROGRAMS / "bundle.mjs"), str(PROGRAMS / "states.ts"), str(made))
    yield str(made)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_the_page_folds_as_the_server_does(
    server: Server, cast: Cast, program: str, scene: Callable[[Play], Awaitable[None]]
) -> None:
    play = Play(server, await cast.learner(), cast.learner_id, [], [])
    await scene(play)
    await server.app[keys.HUB].log.flush()
    for chat_id in play.chats:
        room = f"attempt_{chat_id}"
        rows = await log_of(server.app[keys.STORE], room)
        whole = shown_by(room, rows)
        for after, state in enumerate(await states(program, room, rows)):
            assert state == whole, f"{room}: the snapshot at {after} and what follows it"


async def states(program: str, room: str, rows: Sequence[Row]) -> list[State]:
    """Return what the page's fold makes of each snapshot and the entries after it."""
    given = {
        "entries": [entry(room, row) for row in rows],
        "snapshots": [
            {"after": after, "snapshot": shown_by(room, rows[:after])} for after in range(len(rows) + 1)
        ],
    }
    found: list[State] = orjson.loads(await run(program, given=orjson.dumps(given)))
    assert len(found) == len(rows) + 1
    return found


def entry(room: str, row: Row) -> State:
    """Return a row of the log as the page gets it."""
    return {"room": room, "offset": row.n, "at": 0, "name": row.name, "data": orjson.loads(row.j)}
