"""Every batch job that is not taken, over the WebSocket and over HTTP: the same words, nothing begun."""

import asyncio
import io
from dataclasses import replace
from typing import Any

import aiohttp
import orjson
import pytest

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from server.transports import keys
from server.transports.uploads import UPLOADS
from server.transports.ws_batch import BATCH_SOCKETS
from tests.batch.conftest import Shop
from tests.batch.sockets import last_words, opened, token_of
from tests.support.batch_jobs import PATH, Ended, Talk
from tests.support.batches import FINDS, MIRROR, case, identity, job_of
from tests.support.running import Server, running, settings_for

UNAUTHENTICATED = {"error": "Unauthenticated", "code": "unauthenticated"}
Job = dict[str, Any]


def without(*path: str | int) -> Job:
    job = job_of(2)
    *way, last = path
    inside: Any = job
    for part in way:
        inside = inside[part]
    del inside[last]
    return job


def changed(value: object, *path: str | int) -> Job:
    job = job_of(2)
    *way, last = path
    inside: Any = job
    for part in way:
        inside = inside[part]
    inside[last] = value
    return job


MALFORMED: dict[str, tuple[object, list[str | int]]] = {
    "no JSON": ("{", []),
    "nothing": ("", []),
    "not UTF-8 text": ('"\\ud800"', []),
    "a list": ([], []),
    "a number": (5, []),
    "null": ("null", []),
    "an empty object": ({}, ["name"]),
    "no name": (without("name"), ["name"]),
    "no plugin under test": (without("test_plugin"), ["test_plugin"]),
    "no groups": (without("plugin_groups"), ["plugin_groups"]),
    "no permutations": (without("permutations"), ["permutations"]),
    "no cases": (without("test_cases"), ["test_cases"]),
    "a prompt that is none": (changed(5, "test_cases", 1, "prompt"), ["test_cases", 1, "prompt"]),
    "a temperature in words": (
        changed("hot", "permutations", 0, "llm", "temperature"),
        ["permutations", 0, "llm", "temperature"],
    ),
    "a concurrency in words": (changed("16", "config", "concurrency"), ["config", "concurrency"]),
    "cases that are an object": (changed({}, "test_cases"), ["test_cases"]),
}
WRONG: dict[str, tuple[object, list[str | int]]] = {
    "no plugins": (changed([], "plugin_groups", 0, "plugins"), ["plugin_groups", 0, "plugins"]),
    "empty cases": (changed([], "test_cases"), ["test_cases"]),
    "empty permutations": (changed([], "permutations"), ["permutations"]),
    "empty groups": (changed([], "plugin_groups"), ["plugin_groups"]),
    "an unknown group": (
        changed("nobody", "permutations", 0, "tool_selector", "plugin_group_name"),
        ["permutations", 0, "tool_selector", "plugin_group_name"],
    ),
    "an unknown group of a case": (
        changed("nobody", "test_cases", 1, "plugin_group_name"),
        ["test_cases", 1, "plugin_group_name"],
    ),
    "an unknown provider": (
        changed("Nobody", "permutations", 0, "llm", "provider"),
        ["permutations", 0, "llm", "provider"],
    ),
    "an unknown pipeline": (
        changed("tea leaves", "permutations", 0, "tool_selector", "pipeline_name"),
        ["permutations", 0, "tool_selector", "pipeline_name"],
    ),
    "an unknown selector": (
        changed("Oracle", "permutations", 0, "tool_selector", "provider"),
        ["permutations", 0, "tool_selector", "provider"],
    ),
    "an unknown type": (changed("riddle", "test_cases", 0, "type"), ["test_cases", 0, "type"]),
    "a manifest that is no address": (
        changed("file:///etc/passwd", "test_plugin", "manifest_url"),
        ["test_plugin", "manifest_url"],
    ),
    "too much at once": (changed(100_000, "config", "concurrency"), ["config", "concurrency"]),
    "the same permutation twice": (
        {**job_of(2), "permutations": job_of(1)["permutations"] * 2},
        ["permutations", 1, "name"],
    ),
}
REFUSED = [(name, *entry, 1007) for name, entry in MALFORMED.items()]
REFUSED += [(name, *entry, 1008) for name, entry in WRONG.items()]


async def test_a_wrong_job_is_refused_with_every_problem(shop: Shop) -> None:
    for name, job, loc, code in REFUSED:
        async with opened(shop) as socket:
            await socket.say(job)
            message, closed = await last_words(socket)
        assert (message["code"], closed) == ("bad_request", code), name
        assert set(message) == {"error", "code", "details"}
        assert loc in [detail["loc"] for detail in message["details"]], name
        assert all(set(d) == {"loc", "msg", "type"} and d["msg"] for d in message["details"]), name
        status, answer = await post(shop, job)
        assert status == 400, name
        assert answer["error"]["details"] == message["details"], name
    assert await begun(shop) == 0


async def post(shop: Shop, job: object, *, token: str | None = None, query: str = "?async=1") -> Any:
    """Post a job, and return the status and the answer."""
    body = io.BytesIO(job.encode() if isinstance(job, str) else orjson.dumps(job))
    headers = {"Authorization": f"Bearer {token or token_of(shop)}"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{shop.server.url}/api/start-job{query}", data=body, headers=headers) as response,
    ):
        return response.status, await response.json()


async def begun(shop: Shop) -> int:
    """Return how many jobs there are."""
    return len((await shop.batches.page(shop.author, limit=9, cursor=None)).items)


async def test_all_that_is_wrong_is_told_at_once(shop: Shop) -> None:
    job = changed("Nobody", "permutations", 0, "llm", "provider")
    job["test_cases"] = [case(0, prompt=5), case(1, plugin_group_name="nobody"), case(2, type="riddle")]
    async with opened(shop) as socket:
        await socket.say(job)
        message, closed = await last_words(socket)
    assert closed == 1007
    assert len(message["details"]) >= 4


async def test_a_binary_job_is_refused(shop: Shop) -> None:
    async with opened(shop) as socket:
        await socket.socket.send_bytes(orjson.dumps(job_of(1)))
        message, closed = await last_words(socket)
    assert (message["code"], closed) == ("bad_request", 1007)
    assert await begun(shop) == 0


WISHES: list[tuple[Job, str, int]] = [
    ({"resume": 5}, "bad_request", 1007),
    ({"resume": None}, "bad_request", 1007),
    ({"resume": new(), "from": "1"}, "bad_request", 1007),
    ({"resume": new(), "from": 1.5}, "bad_request", 1007),
    ({"resume": new(), "from": True}, "bad_request", 1007),
    ({"resume": new(), "from": None}, "bad_request", 1007),
    ({"resume": new(), "from": -1}, "bad_request", 1008),
    ({"resume": new(), "from": 2**60}, "bad_request", 1008),
    ({"resume": "nothing"}, "not_found", 1008),
    ({"resume": new()}, "not_found", 1008),
    ({"cancel": True}, "conflict", 1008),
]


async def test_what_cannot_be_resumed_is_refused(shop: Shop) -> None:
    for wish, code, closed in WISHES:
        async with opened(shop) as socket:
            await socket.say(wish)
            message, closed_with = await last_words(socket)
        assert (message["code"], closed_with) == (code, closed), wish
        assert ("details" in message) == (code == "bad_request"), wish


async def test_a_foreign_job_answers_as_a_missing_one(shop: Shop) -> None:
    job = await shop.ended((await shop.start(1)).id)
    heard = []
    for wish in ({"resume": job.id}, {"resume": new()}):
        async with opened(shop, token=token_of(shop, org="elsewhere")) as socket:
            await socket.say(wish)
            heard.append(await last_words(socket))
    assert heard[0] == heard[1]


# --- who ----------------------------------------------------------------------------------------------------


BAD: list[tuple[dict[str, str], str]] = [
    ({"Authorization": "Bearer nonsense"}, ""),
    ({"Authorization": "Basic abc"}, ""),
    ({"Authorization": "Bearer "}, ""),
    ({"X-API-Key": "gr_unknown"}, ""),
    ({}, "?token=nonsense"),
    ({}, "?token="),
]


async def test_a_bad_token_is_told_so_in_one_message(shop: Shop) -> None:
    for headers, query in BAD:
        async with opened(shop, headers=headers, query=query) as socket:
            assert await last_words(socket) == (UNAUTHENTICATED, 1008), (headers, query)


async def test_a_token_that_has_ended_is_a_bad_one(shop: Shop) -> None:
    old = shop.server.token(shop.author.id, role="author", seconds=-1)
    async with opened(shop, token=old) as socket:
        assert await last_words(socket) == (UNAUTHENTICATED, 1008)


async def test_learners_and_guests_are_turned_away_before_they_send_anything(shop: Shop) -> None:
    for headers in ({"Authorization": f"Bearer {token_of(shop, 'learner')}"}, {}):
        async with opened(shop, headers=headers) as socket:
            message, closed = await last_words(socket)
        assert (message["code"], set(message), closed) == ("forbidden", {"error", "code"}, 1008)


async def test_operators_start_nothing(shop: Shop) -> None:
    async with opened(shop, token=token_of(shop, "ops")) as socket:
        await socket.say(job_of(1))
        message, closed = await last_words(socket)
    assert (message["code"], closed) == ("forbidden", 1008)
    assert (await post(shop, job_of(1), token=token_of(shop, "ops")))[0] == 403
    assert (await post(shop, job_of(1), token=token_of(shop, "learner")))[0] == 403
    assert await begun(shop) == 0


async def test_pages_of_other_origins_are_refused(shop: Shop) -> None:
    for origin, status in ((shop.server.url, 101), ("https://evil.test", 403), ("null", 403)):
        headers = {"Authorization": f"Bearer {token_of(shop)}", "Origin": origin}
        if status == 101:
            async with opened(shop, headers=headers):
                continue
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with opened(shop, headers=headers):
                pass
        assert refused.value.status == status


async def test_who_speaks_no_websocket_is_told_where_to_go(shop: Shop) -> None:
    headers = {"Authorization": f"Bearer {token_of(shop)}"}
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{shop.server.url}{PATH}", headers=headers) as response,
    ):
        assert response.status == 400
        assert "/api/start-job" in (await response.json())["error"]["message"]


# --- how much, how many, how long ---------------------------------------------------------------------------


async def test_a_job_of_64_mib_is_read_and_one_byte_more_is_not(shop: Shop) -> None:
    most = shop.server.app[keys.SETTINGS].max_batch_message
    job = orjson.dumps(job_of(1)).decode()
    async with opened(shop) as socket:
        await socket.say(job + " " * (most - len(job)))
        results, _ = await socket.whole()
        assert len(results) == 1
    async with opened(shop) as socket:
        await socket.say(job + " " * (most - len(job) + 1))
        message, closed = await last_words(socket)
    assert (message["code"], set(message), closed) == ("too_large", {"error", "code"}, 1009)
    status, answer = await post(shop, job + " " * (most - len(job) + 1))
    assert (status, answer["error"]["code"]) == (413, "too_large")
    assert await begun(shop) == 1
    assert shop.server.app[UPLOADS].held == 0


async def test_what_is_no_frame_is_refused(shop: Shop) -> None:
    async with opened(shop) as socket:
        transport = socket.socket.get_extra_info("transport") or socket.socket._writer.transport
        transport.write(b"\xff\xff\xff\xff\xff\xff")
        message, closed = await last_words(socket)
    assert (message["code"], closed) == ("bad_request", 1008)


async def test_a_socket_on_which_nothing_comes_is_closed(shop: Shop) -> None:
    sockets = shop.server.app[BATCH_SOCKETS]
    sockets.limits = replace(sockets.limits, first_within=0.2)
    async with opened(shop) as socket:
        message, closed = await last_words(socket)
    assert (message["code"], closed) == ("bad_request", 1008)


async def flood(socket: Talk, codes: list[str]) -> None:
    """Ping and talk without end; raises Ended."""
    while True:
        await socket.socket.ping()
        await socket.say("{}")
        codes.append((await socket.hear())["code"])


async def test_a_flood_of_messages_ends_the_socket_and_not_the_job(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    model[0].script([{**FINDS, "first_delay_ms": 1500}])
    settings = settings_for(mongod_url, model[1], url_mirror=MIRROR).model_copy(
        update={"events_per_second": 5.0, "events_burst": 5}
    )
    async with running(settings) as (url, app):
        shop = Shop(Server(url=url, app=app, model=model[0], model_url=model[1]), identity())
        sockets = app[BATCH_SOCKETS]
        sockets.limits = replace(sockets.limits, over_seconds=0.2)
        async with opened(shop) as socket:
            await socket.say(job_of(1))
            codes: list[str] = []
            with pytest.raises(Ended) as ended:
                await flood(socket, codes)
        assert ended.value.code == 1008
        assert codes[-1] == "rate_limited"
        job = (await shop.batches.page(shop.author, limit=1, cursor=None)).items[0]
        assert (await shop.ended(job.id)).state == "completed"


async def test_more_sockets_than_an_identity_may_have_are_refused(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    settings = settings_for(mongod_url, model[1]).model_copy(
        update={"connections_per_identity": 2, "connections_per_address": 3}
    )
    async with running(settings) as (url, app):
        shop = Shop(Server(url=url, app=app, model=model[0], model_url=model[1]), identity())
        async with opened(shop) as one, opened(shop) as two:
            for mine in (one, two):
                answering = asyncio.create_task(mine.socket.receive())  # answers pings
                answering.add_done_callback(lambda task: task.cancelled() or task.result())
            async with opened(shop) as third:
                message, closed = await last_words(third)
                assert (message["code"], closed) == ("rate_limited", 1008)
                assert message["retry_after"] > 0
            async with opened(shop, token=token_of(shop, "admin")) as other:
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    async with opened(shop):
                        pass
                assert refused.value.status == 429
                assert not other.socket.closed
