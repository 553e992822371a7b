"""Who floods has no more than its turn: the others are served in between."""

import asyncio

import pytest

from tests.attacks.raw import masked
from tests.transports.socketio.serving import Serving, text

FLOOD = 3000


@pytest.mark.parametrize("frame", [masked(b"3"), masked(b"x", opcode=9), masked(b'42["message",0]')])
async def test_somebody_else_has_an_answer_before_a_flood_is_over(patient: Serving, frame: bytes) -> None:
    other = await patient.open_websocket(connect="40")
    ws = await patient.open_websocket(connect="40")
    connection = ws._response.connection
    assert connection is not None
    assert connection.transport is not None
    connection.transport.write(frame * FLOOD + masked(b'42["message","over"]'))
    await other.send_str('42["message","other"]')
    assert await text(other) == '42["message-back","other"]'
    assert "over" not in [event.args[0] for event in patient.app.events]
    while "over" not in [event.args[0] for event in patient.app.events]:
        await asyncio.sleep(0)
