"""Sessions of others, of who has left, and of long ago: sockets by pid and string, streams by address."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from schemas.envelope import Role
from server.engine.ids import new
from tests.attacks.node import Node, Wire, code_of
from tests.attacks.table import Attack
from tests.support.attempts import begin
from tests.support.clients import PATIENCE, Http, http_client
from tests.transports.socketio.serving import text

LONG_AGO = timedelta(minutes=2, seconds=1)
Data = dict[str, Any]
ROLES: tuple[Role, ...] = ("learner", "admin")
NO_PIDS: list[object] = [None, 1, True, [], {}, {"$ne": None}, "", "x", "x" * 100_000, "\0", "🙂"]


async def comes(node: Node, token: str, **auth: object) -> tuple[Wire, Data, Data]:
    """Connect a client that asks for recovery; return it, the answer to its CONNECT, and its confirmation."""
    wire = await node.http.ws_connect(node.address("websocket"))
    assert (await text(wire)).startswith("0")
    await wire.send_str("40" + orjson.dumps({"token": token, "recovery": True, **auth}).decode())
    opened: Data = orjson.loads((await text(wire))[2:])
    confirmed: Data = orjson.loads((await text(wire))[2:])[1]
    return wire, opened, confirmed


async def practises(node: Node, profile: str) -> tuple[Data, str]:
    """Practise as a client that recovers and is cut off; return its session and the last event's string."""
    wire, opened, _ = await comes(node, node.token(profile))
    async with node.client(profile) as other:
        talk = await begin(other)
        await wire.send_str(
            "421" + orjson.dumps(["attempt_join", {"chat_id": talk.chat_id, "after": 0}]).decode()
        )
        await talk.say()
    async with asyncio.timeout(PATIENCE):
        while "attempt_assistant_complete" not in (packet := await text(wire)):
            pass
    offset: str = orjson.loads(packet[2:])[2]
    await wire.close()
    return opened, offset


async def refused(node: Node, token: str, session: Data, offset: object) -> None:
    """Come with somebody's pid and string: what is opened is a session of one's own, and empty."""
    wire, opened, confirmed = await comes(node, token, pid=session["pid"], offset=offset)
    assert confirmed["recovered"] is not True
    assert opened["sid"] != session["sid"]
    assert opened["pid"] != session["pid"]
    await wire.send_str('429["room_leave",{"room":"x_y"}]')  # the answer comes after all that was replayed
    assert (await text(wire)).startswith(("429[", '42["attempt_error"'))
    await wire.close()


async def with_anothers_token(node: Node) -> None:
    victim = new()
    session, offset = await practises(node, victim)
    for token in (
        node.token(), node.token(role="ops"), node.token(role="admin"), node.token(victim, role="author"),
        node.token(victim, org="elsewhere"),
    ):  # fmt: skip
        await refused(node, token, session, offset)
    wire, opened, confirmed = await comes(node, node.token(victim), pid=session["pid"], offset=offset)
    assert (opened["sid"], opened["pid"], confirmed["recovered"]) == (session["sid"], session["pid"], True)
    await wire.close()


async def with_odd_strings(node: Node) -> None:
    """A pid or a string that is none opens a new session, or goes on from the start; neither breaks."""
    victim = new()
    session, offset = await practises(node, victim)
    token = node.token(victim)
    pids: list[object] = [*NO_PIDS, session["sid"], new()]
    for pid in pids:
        wire, opened, confirmed = await comes(node, token, pid=pid, offset=offset)
        assert confirmed["recovered"] is not True, pid
        assert opened["pid"] != session["pid"]
        await wire.close()
    tag = offset.partition("~")[2]
    strings: list[object] = [
        1, None, [], {}, "", "~", f"~{tag}", f"1.0~{tag}x", f"-1.0~{tag}", f"99999.0~{tag}", "9" * 100_000,
        f"{2**63}.0~{tag}", f"1.999~{tag}", ";" * 1000 + f"~{tag}", f"1.0;;~{tag}", "1.0;1@1" * 9_999,
        offset * 2,
    ]  # fmt: skip
    for odd in strings:
        wire, opened, _ = await comes(node, token, pid=session["pid"], offset=odd)
        session = {"sid": opened["sid"], "pid": opened["pid"]}
        await wire.send_str('421["attempt_leave",{"chat_id":"' + new() + '"}]')
        async with asyncio.timeout(PATIENCE):
            while not (await text(wire)).startswith("431["):
                pass
        await wire.close()


async def after_logout(node: Node) -> None:
    victim = new()
    session, offset = await practises(node, victim)
    wire, opened, _ = await comes(node, node.token(victim), pid=session["pid"], offset=offset)
    assert opened["pid"] == session["pid"]
    await wire.send_str("41")
    await wire.send_str("1")
    await node.calm()
    await wire.close()
    await refused(node, node.token(victim), session, offset)


async def after_two_minutes(node: Node) -> None:
    victim = new()
    session, offset = await practises(node, victim)
    await node.calm()
    wire, _, _ = await comes(node, node.token())  # which stores first who has left
    await wire.close()
    assert await stored_long_ago(node, session["pid"])
    await refused(node, node.token(victim), session, offset)


async def stored_long_ago(node: Node, session_id: str) -> bool:
    """Make it two minutes ago that a session was left; False when it is not stored any more."""
    sessions = node.cluster.store.sessions._sessions
    before = datetime.now(UTC) - LONG_AGO
    changed = await sessions.update_one({"_id": session_id}, {"$set": {"seen_at": before}})
    return bool(changed.matched_count)


# --- streams ---------------------------------------------------------------------------------------------


async def stream_status(node: Node, path: str, **headers: str) -> int:
    """Ask for a stream and return how that was answered."""
    async with node.http.get(node.url + path, headers=headers) as response:
        return response.status


async def stream_of_another(node: Node) -> None:
    """Who knows a session but not its key gets no stream, and joins, leaves and ends nothing by it."""
    assert node.other is not None
    async with node.streamer() as victim:
        path, session_id = victim.stream_path, victim.headers["X-Session-Id"]
        bare = path.partition("?")[0]
        for guess in (bare, path[:-1], path + "x", bare + "?key=", path.replace("key", "k")):
            for at in (node, node.other):
                assert await stream_status(at, guess, Authorization=f"Bearer {node.token()}") == 404, guess
        for event in ("disconnect", "attempt/start", "room/leave", "attempt/leave"):
            for role in ROLES:
                status, body = await node.ask(
                    event,
                    {},
                    token=node.token(role=role),
                    headers={"X-Session-Id": session_id},
                )
                assert (status, code_of(body)) == (404, "not_found"), event
        talk = await begin(victim)
        await talk.say()
        names = victim.names()
        assert names.count("connection_confirmed") == 1


async def stream_with_odd_ids(node: Node) -> None:
    async with node.streamer() as victim, node.streamer() as other:
        talk = await begin(victim)
        await talk.say()
        await (await begin(other)).say()
        assert victim.last_id is not None
        tag = victim.last_id.partition("~")[2]
        odd = (
            other.last_id, "x", "~", "1.0", "1.0~", f"-1.0~{tag}", f"{2**63}.0~{tag}", f"1.999~{tag}",
            "9" * 7_000, f"1.0;;~{tag}", "%00", "1.0~\u00e9\u00e9\u00e9",
        )  # fmt: skip
        for last in odd:
            await victim.drop()
            victim.last_id = last
            before = len(victim.named("connection_confirmed"))
            await victim.resume()
            confirmed = victim.named("connection_confirmed")[before]
            assert confirmed["recovered"] in (True, False), last
        await talk.say("Still here?")


async def stream_after_logout(node: Node) -> None:
    assert node.other is not None
    async with node.streamer() as victim:
        path, headers = victim.stream_path, victim.headers
        await victim.drop()
        await victim.send("disconnect")
        for at in (node, node.other):
            assert await stream_status(at, path) == 404
            async with http_client(at.url) as late:
                late.headers = headers
                assert code_of(await late.call("attempt/leave", chat_id=new())) == "not_found"


async def stream_after_two_minutes(node: Node) -> None:
    assert node.other is not None
    async with node.streamer() as victim:
        await victim.drop()
        await forgotten(node, victim)
        assert await stream_status(node.other, victim.stream_path) == 404


async def forgotten(node: Node, victim: Http) -> None:
    """Make it two minutes ago that a session was left, until it is unknown where it was at home."""
    async with asyncio.timeout(PATIENCE):
        while (await victim.call("attempt/leave", chat_id=new()))["success"]:
            await stored_long_ago(node, victim.headers["X-Session-Id"])  # after the last time it was in use
            await node.bystander.news()


ATTACKS = [
    Attack(run=with_anothers_token),
    Attack(run=with_odd_strings),
    Attack(run=after_logout),
    Attack(run=after_two_minutes),
    Attack(run=stream_of_another),
    Attack(run=stream_with_odd_ids),
    Attack(run=stream_after_logout),
    Attack(run=stream_after_two_minutes),
]
