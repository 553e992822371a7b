"""A run that is let go again while the process that replayed it is still settling is not left waiting."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from pydantic import SecretStr

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from server.transports import keys
from tests.support.clients import PATIENCE, socket
from tests.support.running import load_pack, running, settings_for
from tests.support.trials import HANGING, begin


class Gate:
    """A collection that does what it is told, and while it is shut finds nothing until it is opened."""

    def __init__(self, collection: Any) -> None:
        self._collection = collection
        self._open = asyncio.Event()
        self._open.set()
        self._reached = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)

    async def find_one(self, *query: Any, **more: Any) -> Any:
        """Find a document when the gate is open."""
        self._reached.set()
        await self._open.wait()
        return await self._collection.find_one(*query, **more)

    def shut(self) -> None:
        """Let nobody through any more."""
        self._open.clear()
        self._reached.clear()

    def open(self) -> None:
        """Let those through who wait."""
        self._open.set()

    async def reached(self) -> None:
        """Wait until somebody waits at it."""
        async with asyncio.timeout(PATIENCE):
            await self._reached.wait()


async def test_a_run_let_go_while_another_process_settles_is_replayed_at_once(
    mongod_url: str, valkey_url: str, model: tuple[ScriptedModel, str]
) -> None:
    settings = settings_for(mongod_url, model[1], redis_url=SecretStr(valkey_url))
    model[0].script([{**HANGING, "times": 1}])
    async with AsyncExitStack() as stack:
        _, worker = await stack.enter_async_context(running(settings))
        await load_pack(worker)
        door = settings.model_copy(update={"job_slots": 0, "instance": "door"})
        url, app = await stack.enter_async_context(running(door))
        token = app[keys.ACCESS].mint(role="author", profile_id=new(), seconds=60)
        trial = await begin(await stack.enter_async_context(socket(url, {"token": token})))
        await trial.hears(await trial.send("short"), "Half of it")
        invocations = worker[keys.STORE].invocations
        gate = vars(invocations)["_documents"] = Gate(invocations._documents)
        stack.callback(gate.open)
        gate.shut()
        await trial.client.send("test_stop", invocation_id=trial.invocation_id)
        await gate.reached()  # the replay is given back, and its worker looks what that leaves to do
        again = await trial.send("short")
        gate.open()
        await trial.client.until("test_run_complete", run_id=again)  # sooner than anything would reconcile
