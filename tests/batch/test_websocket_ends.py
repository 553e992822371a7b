"""How sockets of batch jobs end: drained, silent, slow, and by tokens that end; the jobs go on."""

import asyncio
import base64
import socket as stdsocket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest

from server.engine.batch.batches import MAX_DETAIL_BYTES
from server.engine.batch.shelf import MAX_RESULT
from server.llm.scripted import ScriptedModel
from server.transports import keys
from server.transports.ws_batch import BATCH_SOCKETS
from tests.batch.conftest import Shop
from tests.batch.sockets import last_words, links, opened, token_of, until
from tests.conformance.mongo_proxy import mongo_proxy
from tests.support.batch_jobs import PATH, Ended, Message, Talk
from tests.support.batches import FINDS, MIRROR, identity, job_of
from tests.support.passing import passes
from tests.support.running import Server, running, settings_for

NEVER = {"hang": True}
LONG = "x" * 30_000


@asynccontextmanager
async def raw(shop: Shop, first: object, *, small: bool = False) -> AsyncIterator[stdsocket.socket]:
    """Open a socket by hand that says one thing, answers no ping and reads nothing but the handshake."""
    parts = urlsplit(shop.server.url)
    wire = stdsocket.socket()
    if small:
        wire.setsockopt(stdsocket.SOL_SOCKET, stdsocket.SO_RCVBUF, 4096)
    loop = asyncio.get_running_loop()
    wire.setblocking(False)
    await loop.sock_connect(wire, (parts.hostname, parts.port))
    key = base64.b64encode(bytes(16)).decode()
    head = (
        f"GET {PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        f"Sec-WebSocket-Extensions: permessage-deflate\r\nAuthorization: Bearer {token_of(shop)}\r\n\r\n"
    )
    try:
        await loop.sock_sendall(wire, head.encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += await loop.sock_recv(wire, 1)
        assert b"101" in answer
        assert b"deflate" not in answer
        text = orjson.dumps(first)
        length = bytes([0x80 | 126]) + len(text).to_bytes(2, "big")
        await loop.sock_sendall(wire, b"\x81" + length + bytes(4) + text)
        yield wire
    finally:
        wire.close()


async def test_who_reads_nothing_takes_no_memory_and_does_not_hold_up_the_job(shop: Shop) -> None:
    shop.server.model.script([{"reply": LONG}])
    job = await shop.start(300, config={"concurrency": 32})
    async with raw(shop, {"resume": job.id}, small=True) as wire:
        assert (await shop.ended(job.id)).results == 300
        (link,) = links(shop)
        assert link.waiting < 256 * 1024
        loop = asyncio.get_running_loop()
        came = 0
        async with asyncio.timeout(30):
            while came < 300 * len(LONG):  # and all of it comes to who reads in the end
                came += len(await loop.sock_recv(wire, 1 << 20))


async def test_who_reads_nothing_of_large_results_costs_a_page(shop: Shop) -> None:
    called = [{"name": "get_things", "arguments": {"q": "x" * 30_000}}] * 15
    shop.server.model.script([{"tool_calls": called}])
    too_many = MAX_DETAIL_BYTES // (15 * 30_000) + 1
    job = await shop.ended((await shop.start(too_many)).id)
    (row,) = await shop.batches.lines(job.id, from_=8, limit=1)
    assert len(row) > 15 * 30_000
    async with (
        raw(shop, {"resume": job.id}, small=True),
        raw(shop, {"resume": job.id, "from": 8}, small=True),
    ):
        await until(lambda: len(links(shop)) == 2 and all(link.waiting for link in links(shop)))
        assert all(link.waiting < MAX_RESULT for link in links(shop))  # a message, and no second one
    assert len(await shop.batches.summary(job)) < 10_000
    fits = await shop.ended((await shop.start(4)).id)
    await until(lambda: not links(shop))
    async with raw(shop, {"resume": fits.id, "from": 4}, small=True):
        await until(lambda: any(link.waiting for link in links(shop)))
        assert MAX_RESULT < links(shop)[0].waiting < MAX_DETAIL_BYTES


async def test_a_silent_client_is_cut_and_the_job_goes_on(shop: Shop) -> None:
    sockets = shop.server.app[BATCH_SOCKETS]
    sockets.limits = replace(sockets.limits, ping=0.2, silence=1.2)
    shop.server.model.script([NEVER])
    job = await shop.start(1)
    async with raw(shop, {"resume": job.id}), opened(shop) as talk:
        await talk.say({"resume": job.id})
        reading = asyncio.create_task(talk.hear())  # it answers pings
        await until(lambda: len(links(shop)) == 1)
        assert not reading.done()
        await shop.cancel(job.id)
        assert (await reading)["status"] == "cancelled"


async def test_a_socket_ends_with_its_token(shop: Shop) -> None:
    shop.server.model.script([NEVER])
    job = await shop.start(1)
    token = shop.server.token(shop.author.id, role="author", seconds=2)
    async with opened(shop, token=token) as talk:
        await talk.say({"resume": job.id})
        message, code = await last_words(talk)
    assert (message["code"], code) == ("unauthenticated", 1008)
    assert "resume" in message["error"]
    assert (await shop.get(job.id)).state == "running"


async def hear_on(talk: Talk, seen: list[Message]) -> int | None:
    """Take all messages that are left, and return the code of the close."""
    while True:
        try:
            seen.append(await talk.hear())
        except Ended as ended:
            return ended.code


async def test_a_server_that_stops_has_clients_resume_elsewhere(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    model[0].script([{**FINDS, "first_delay_ms": 100}])
    settings = settings_for(mongod_url, model[1], url_mirror=MIRROR)
    other = settings.model_copy(update={"port": 0, "instance": "other"})
    async with running(other) as (next_url, next_app):
        async with running(settings) as (url, app):
            shop = Shop(Server(url=url, app=app, model=model[0], model_url=model[1]), identity())
            async with opened(shop) as talk, opened(shop) as early:
                await talk.say(job_of(30, concurrency=2))
                seen = await talk.results(4)
                app[keys.DRAIN].begin()
                assert await hear_on(talk, seen) == 1001
                with pytest.raises(Ended) as ended:
                    await early.hear()
                assert ended.value.code == 1001
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with opened(shop):
                    pass
            assert refused.value.status == 503
        shop.server = Server(url=next_url, app=next_app, model=model[0], model_url=model[1])
        async with opened(shop) as talk:
            await talk.say({"resume": seen[0]["job_id"], "from": len(seen)})
            rest, summary = await talk.whole()
    assert [r["index"] for r in seen + rest] == list(range(30))
    assert summary["status"] == "completed"


async def test_the_reason_of_the_close_names_the_job_to_resume(shop: Shop) -> None:
    shop.server.model.script([NEVER])
    job = await shop.start(1)
    async with opened(shop) as talk, opened(shop) as early:
        await talk.say({"resume": job.id})
        await until(lambda: any(link.job_id for link in links(shop)))
        shop.server.app[keys.DRAIN].begin()
        message = await talk.socket.receive()
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
        assert f"resume {job.id}" in (message.extra or "")
        assert "send the job again" in ((await early.socket.receive()).extra or "")


async def test_a_socket_waits_for_a_database_that_comes_back(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    model[0].script([{**FINDS, "first_delay_ms": 50}])
    async with (
        mongo_proxy(mongod_url) as way,
        running(settings_for(way.url, model[1], url_mirror=MIRROR)) as (url, app),
    ):
        shop = Shop(Server(url=url, app=app, model=model[0], model_url=model[1]), identity())
        async with opened(shop) as talk:
            await talk.say(job_of(40, concurrency=2))
            seen = await talk.results(4)
            way.lose(1.0, seed=1)
            await passes(1.5, because="the database is away for so long")
            way.lose(0.0, seed=1)
            rest, summary = await talk.whole()
    assert way.lost
    assert [r["index"] for r in seen + rest] == list(range(40))
    assert summary["status"] == "completed"


async def test_nothing_is_left_of_sockets_that_ended(shop: Shop) -> None:
    job = await shop.ended((await shop.start(1)).id)
    for _ in range(20):
        async with opened(shop) as talk:
            await talk.say({"resume": job.id})
            await talk.hear()
        async with opened(shop) as talk:
            await talk.say({"resume": job.id})
            await talk.whole()
        async with raw(shop, {"resume": job.id}):
            pass
    await until(lambda: not links(shop))
    admission = shop.server.app[keys.ADMISSION]
    assert (len(admission.identities), len(admission.addresses)) == (0, 0)
