"""Sessions that are in use are not removed by another process, however long the database was away."""

from contextlib import AsyncExitStack
from datetime import timedelta

from schemas.envelope import utc_now
from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from server.rooms.process import Process
from server.store import connect
from server.store.sessions import Session
from server.transports import keys
from server.transports.abandoned import Abandoned
from server.transports.http_events import HOMES
from tests.support.clients import http_client
from tests.support.databases import databases
from tests.support.running import Server, running, settings_for

LONG_AGO = timedelta(minutes=10)


async def test_streams_of_two_processes_outlast_a_database_that_was_away(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    settings = settings_for(mongod_url, model[1])
    async with AsyncExitStack() as stack:
        servers, clients = [], []
        for _ in range(2):
            url, app = await stack.enter_async_context(running(settings))
            servers.append(Server(url=url, app=app, model=model[0], model_url=model[1]))
            token = servers[-1].token(new())
            clients.append(await stack.enter_async_context(http_client(url, token=token)))
            await clients[-1].connect()
        database = servers[0].app[keys.STORE].database
        await database.sessions.update_many({}, {"$set": {"seen_at": utc_now() - LONG_AGO}})
        for server in servers * 2:
            await server.app[HOMES].sweep()
        assert await database.sessions.count_documents({"seen_at": {"$gt": utc_now() - LONG_AGO / 2}}) == 2
        for client in clients:
            await client.drop()
            await client.resume()


async def test_of_the_dead_only_what_is_old_is_removed(mongod_url: str) -> None:
    store = connect(mongod_url, databases.name(mongod_url))
    process, sessions = Process("living", store.processes), store.sessions
    await process.beat()
    await store.processes.beat("other")
    killed = {"just": timedelta(seconds=100), "before": LONG_AGO}
    for name, ago in killed.items():
        await store.database.processes.insert_one({"_id": name, "until": utc_now() - ago})
    for home in ("living", "other", "gone", *killed):
        for kind in (None, "sid"):
            record = Session(id=new(), identity={"id": "x"}, aliases=0, process=home, key="x", sid=kind)
            await sessions.create(record)
    await sessions.create(Session(id=new(), identity={"id": "x"}, aliases=0, process="fresh", key="x"))
    old = {"process": {"$ne": "fresh"}}
    await store.database.sessions.update_many(old, {"$set": {"seen_at": utc_now() - LONG_AGO}})
    await Abandoned(sessions, process, sockets=False).remove()
    assert await store.database.sessions.count_documents({"sid": "sid"}) == 5
    await Abandoned(sessions, process, sockets=True).remove()
    left = await store.database.sessions.find({}).to_list(None)
    assert sorted(row["process"] for row in left) == ["fresh", "just", "just", "other", "other"]
    store.close()


async def test_who_lost_its_lease_gives_the_others_time_to_beat(mongod_url: str) -> None:
    store = connect(mongod_url, databases.name(mongod_url))
    process = Process("living", store.processes)
    await process.beat()
    abandoned = Abandoned(store.sessions, process, sockets=False)
    await store.sessions.create(Session(id=new(), identity={"id": "x"}, aliases=0, process="other", key="x"))
    await store.database.sessions.update_many({}, {"$set": {"seen_at": utc_now() - LONG_AGO}})
    process.lease += 1  # as the first beat does after the database was away
    await abandoned.remove()
    assert await store.database.sessions.count_documents({}) == 1
    await abandoned.remove()
    assert await store.database.sessions.count_documents({}) == 0
    store.close()
