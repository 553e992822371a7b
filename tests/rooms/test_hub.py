"""The rooms of a process while the log's epoch changes: whoever is about to follow gets a room that lives."""

import asyncio

from server.transports import keys
from tests.support.running import Server

TIMES = 20


async def test_a_room_that_is_reached_is_a_loaded_one_whenever_the_epoch_changes(server: Server) -> None:
    hub, process = server.app[keys.HUB], server.app[keys.PROCESS]
    for n in range(TIMES):
        name, epoch = f"attempt_{n}", hub.epoch
        await hub.room(name)
        await server.app[keys.STORE].processes.change_epoch(epoch)
        beat = asyncio.create_task(process.beat())
        while (room := await hub.reach(name, after=0, epoch=epoch)) is not None:  # until the beat has come
            assert hub.loaded_room(name) is room  # in the tick in which it would be followed
        await beat
        assert hub.epoch != epoch
