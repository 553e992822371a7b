"""Connection state recovery on the wire: what a client gets that comes back into its session."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import aiohttp
import pytest

from schemas.envelope import utc_now
from server.rooms.cursor import parse
from tests.transports.socketio.comebacks import NOTE, Client, change, follow_room, poll, stored
from tests.transports.socketio.product import ADA, Product
from tests.transports.socketio.serving import closed, text

OVER = ("attempt_chat_ended", b"{}")


async def test_a_client_comes_back_into_all_its_rooms(shop: Product) -> None:
    ada = await follow_room(shop)
    for _ in range(3):
        await ada.drop()
        await shop.publish("room", NOTE, NOTE)
        await shop.publish(ADA.key, NOTE)
        assert await ada.connect(shop)
        await ada.read(3)
    assert ada.of("room") == list(range(1, 9))
    assert ada.of(ADA.key) == [1, 2, 3]


async def test_more_than_fits_a_page_comes_again(shop: Product) -> None:
    ada = await follow_room(shop)
    await ada.drop()
    await shop.publish("room", *[("attempt_progress", b'{"content":"%b"}' % (b"x" * 500))] * 1000)
    assert await ada.connect(shop)
    await ada.read(1000)
    await shop.publish("room", NOTE)
    await ada.read()
    assert ada.of("room") == list(range(1, 1004))


async def test_every_string_holds_the_place_in_all_rooms(shop: Product) -> None:
    ada = await follow_room(shop)
    for room in (ADA.key, "room", "room", ADA.key):
        await shop.publish(room, NOTE)
        await ada.read()
        assert ada.offset is not None
        places = parse(ada.offset, session_tag=ada.offset[-4:])
        assert places == {0: len(ada.of(ADA.key)), 1: len(ada.of("room"))}


async def test_over_polling(shop: Product) -> None:
    ada = Client()
    for turn in range(3):
        sid = await shop.serving.open_polling()
        await shop.serving.post(sid, ada.hello)
        packets = await poll(shop, sid, 2)
        assert ada.welcomed(*packets[:2]) is (turn > 0)
        await shop.publish(ADA.key, NOTE)
        unread = packets[2:]
        while len(ada.got) < 2 * turn + 1:
            for packet in unread or await poll(shop, sid, 1):
                ada.take(packet)
            unread = []
        await shop.publish(ADA.key, NOTE)  # not fetched: it comes with the next connection
    assert ada.of(ADA.key) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("goodbye", ["1", "41\x1e1"])
async def test_only_a_disconnect_packet_is_a_goodbye(shop: Product, goodbye: str) -> None:
    ada = Client()
    sid = await shop.serving.open_polling()
    await shop.serving.post(sid, ada.hello)
    ada.welcomed(*await poll(shop, sid, 2))
    await shop.serving.post(sid, goodbye)  # what clients post after an error is "1"
    await shop.serving.gone()
    assert await ada.connect(shop) is (goodbye == "1")


async def test_on_another_server_of_the_same_database(pair: tuple[Product, Product]) -> None:
    here, there = pair
    ada = await follow_room(here)
    old = ada.ws
    await here.publish("room", NOTE)
    assert await ada.connect(there)  # as after a kill: nobody has noted that the old connection is gone
    await ada.read()
    await there.publish("room", NOTE)
    await ada.read()
    assert ada.of("room") == [1, 2, 3, 4]
    assert not old.closed
    await here.recovery.sweep()  # the bell did not ring; this finds out too
    await closed(old)
    assert here.serving.server.eio.ended == {"replaced": 1}
    assert await ada.connect(here)


async def test_an_older_connection_is_cut_at_once(shop: Product) -> None:
    ada = await follow_room(shop)
    old = ada.ws
    assert await ada.connect(shop)
    await closed(old)
    assert shop.serving.server.eio.ended == {"replaced": 1}
    await shop.publish("room", NOTE)
    await ada.read()
    await ada.drop()
    assert await ada.connect(shop)


async def test_two_at_once(shop: Product) -> None:
    ada = await follow_room(shop)
    pid = ada.pid
    for n in range(3, 6):
        twins = [replace(ada) for _ in range(4)]
        tries = await asyncio.gather(*[twin.connect(shop) for twin in twins], return_exceptions=True)
        assert True in tries
        assert False not in tries  # others were cut when the next one had taken the session
        assert len((await shop.hub.room("room")).live) == 1
        await shop.publish("room", NOTE)
        (winner,) = [twin for twin in twins if twin.pid == pid and await _reads(twin)]
        assert winner.of("room") == list(range(1, n + 1))
        ada = winner


async def _reads(client: Client) -> bool:
    """Read one entry; tells whether the connection was not cut before."""
    client.got = list(client.got)
    message = await client.ws.receive(timeout=5)
    if message.type is aiohttp.WSMsgType.TEXT:
        client.take(message.data)
    return message.type is aiohttp.WSMsgType.TEXT


async def test_of_two_that_take_a_session_only_the_first_changes_it(shop: Product) -> None:
    ada = await follow_room(shop)
    older = await stored(shop, ada)
    assert older is not None
    newer = await shop.store.sessions.take(older, process=shop.process.name)
    assert newer is not None
    assert await shop.store.sessions.take(older, process=shop.process.name) is None
    await shop.store.sessions.drop_room(older, 1)
    await shop.store.sessions.close_all([older])
    found = await stored(shop, ada)
    assert found is not None
    assert [room.room for room in found.rooms] == [ADA.key, "room"]


async def test_a_guest_comes_back_by_its_id(shop: Product) -> None:
    guest = Client(auth={"recovery": True})
    await guest.connect(shop)
    guest.auth["guest_id"] = guest.confirmed["guest_id"]
    await guest.drop()
    assert await guest.connect(shop)


@pytest.mark.parametrize(
    "offset",
    ["", "x", "1.1~0000", "9" * 17 + ".1~", "1.1" + ";0@0" * 2000 + "~", "1.1;1@2~", "1.7~", "-1.1~",
     "1.1\n~", "\uff11.1~", 5, None, ["1.1"], {"a": 1}],
)  # fmt: skip
async def test_what_is_no_string_of_the_session_goes_on_from_the_start(shop: Product, offset: object) -> None:
    ada = await follow_room(shop)
    await ada.drop()
    assert ada.offset is not None
    if isinstance(offset, str) and offset.endswith("~"):
        offset += ada.offset[-4:]
    ada.offset = offset  # type: ignore[assignment] # as clients may send it
    assert await ada.connect(shop)
    await ada.read(2)
    assert ada.of("room") == [1, 2, 1, 2]


async def test_private_answers_carry_no_string(shop: Product) -> None:
    ada = await follow_room(shop)
    await ada.ws.send_str('429["tell",{}]')
    assert await text(ada.ws) == '42["attempt_error",{"message":"no"}]'
    assert (await text(ada.ws)).startswith("439[")
    shop.hub.flashed("room", "ops_beat", b"{}")
    assert await text(ada.ws) == '42["ops_beat",{}]'


async def test_a_room_joined_just_before_the_cut(shop: Product) -> None:
    ada = await follow_room(shop)
    await shop.publish("other", NOTE, NOTE)
    assert (await ada.call("enter", room="third"))["success"]
    assert (await ada.call("join", room="other"))["success"]
    await ada.drop()  # the entries behind the ack are lost
    await shop.serving.gone()
    await shop.publish("third", NOTE)
    assert await ada.connect(shop)
    await ada.read(3)
    assert (ada.of("other"), ada.of("third"), ada.of("room")) == ([1, 2], [1], [1, 2])


async def test_a_room_that_was_left(shop: Product) -> None:
    ada = await follow_room(shop)
    assert (await ada.call("leave"))["success"]
    await shop.publish("room", NOTE)
    await ada.drop()
    await shop.publish("room", NOTE)
    assert await ada.connect(shop)
    await shop.publish(ADA.key, NOTE)
    await ada.read()
    assert ada.got[2:] == [(ADA.key, 1)]
    assert await ada.call("join") == {"success": True, "offset": 4}
    await ada.read(4)
    assert ada.of("room") == [1, 2, 1, 2, 3, 4]


async def test_a_room_left_by_itself_keeps_its_place(shop: Product) -> None:
    ada = Client()
    await ada.connect(shop)
    await ada.call("enter", room="chat")
    await shop.publish("chat", NOTE, NOTE, OVER)
    await ada.read()
    await ada.drop()  # the end is on its way
    assert await ada.connect(shop)
    await ada.read(2)
    await shop.publish("chat", NOTE)
    await shop.publish(ADA.key, NOTE)
    await ada.read()
    await ada.drop()
    assert await ada.connect(shop)
    assert (await ada.call("echo"))["success"]
    assert ada.of("chat") == [1, 2, 3]
    found = await stored(shop, ada)
    assert found is not None
    assert [room.room for room in found.rooms] == [ADA.key]


async def test_rooms_left_by_themselves_are_stored_with_the_sweep(shop: Product) -> None:
    ada = Client()
    await ada.connect(shop)
    await ada.call("enter", room="chat")
    await shop.publish("chat", OVER)
    await ada.read()
    old = utc_now() - timedelta(minutes=5)
    await change(shop, ada, seen_at=old)
    await shop.recovery.sweep()
    assert await shop.store.database.sessions.count_documents({"seen_at": {"$gt": old}}) == 1
    found = await stored(shop, ada)
    assert found is not None
    assert [(room.room, room.ended) for room in found.rooms] == [(ADA.key, None), ("chat", 1)]
