"""A stream in which nothing may be lost, doubled or out of place, and clients that check it."""

import asyncio
import base64

import orjson

from server.rooms.follower import LOW_WATER
from server.transports.socketio.packets import Assembly, SocketPacket, parse
from server.transports.socketio.peer import Client
from tests.transports.socketio.serving import Echo, Serving

SIZES = (0, 1, 300, 70_000, 9)  # of attachments; one is larger than a polling answer


class Firehose(Echo):
    """Sends numbered events once asked to `flow`, every third with bytes; `ask` is acknowledged in between.

    Whatever is sent carries the next number, so that the client knows the whole order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0
        self.flowing: set[asyncio.Task[None]] = set()

    async def event(self, client: Client, event: SocketPacket) -> None:
        if event.name == "flow":
            self.flowing.add(asyncio.create_task(self._flow(client, *event.args)))
        elif event.ack_id is not None:
            client.answer(event.ack_id, self._next())

    async def _flow(self, client: Client, count: int) -> None:
        for number in range(count):
            if number % 3:
                client.emit("text", self._next(), "x" * (number % 500))
            else:
                client.emit("bytes", self._next(), *attachments(self.sent))
            if number % 7 == 0:
                await asyncio.sleep(0)
            if client.peer.socket.outbox.size > LOW_WATER:
                await client.peer.socket.drained()
        client.emit("done", self._next())

    def _next(self) -> int:
        self.sent += 1
        return self.sent


def attachments(number: int) -> list[bytes]:
    """Return the bytes that come with a numbered event."""
    return [bytes((number % 256,)) * SIZES[(number + part) % len(SIZES)] for part in range(number % 3 + 1)]


class Reader:
    """Reads a stream over whatever transport it has: each packet's attachments have to follow it directly."""

    def __init__(self, server: Serving, sid: str) -> None:
        self.server = server
        self.sid = sid
        self.numbers: list[int] = []
        self.done = False
        self._asked = 0
        self._assembly: Assembly | None = None

    def see(self, message: str | bytes) -> bool:
        """Take a message; False when it is a ping, which has to be answered."""
        if isinstance(message, bytes):
            assert self._assembly is not None, "bytes that belong to nothing"
            if (packet := self._assembly.add(message)) is not None:
                self._assembly = None
                self._note(packet)
            return True
        if message in ("2", "6"):
            return message == "6"
        assert self._assembly is None, "a packet came before the attachments of the one before it"
        if message.startswith(("40", '42["auth"')):
            return True
        if message.startswith("43"):
            self.numbers += orjson.loads(message[message.index("[") :])
            return True
        packet = parse(message[1:])
        if packet.attachments:
            self._assembly = Assembly(packet, max_attachments=9, max_bytes=10**6, max_depth=9)
        else:
            self._note(packet)
        return True

    async def poll(self, *, ask: bool = True) -> None:
        """Read one answer to a GET, and ask for an ack."""
        status, body = await self.server.get(self.sid)
        assert status == 200, body
        for packet in body.split("\x1e"):
            if not self.see(packet if packet[0] != "b" else decoded(packet)):
                await self._post("3")
        if ask and not self.done:
            await self._post(self.question())

    def question(self) -> str:
        """Return an event that is acknowledged with the next number."""
        self._asked += 1
        return f'42{self._asked}["ask"]'

    async def flow(self, count: int) -> None:
        """Connect and ask for the stream."""
        await self._post("\x1e".join(["40", f'42["flow",{count}]']))

    def check(self, app: Firehose, count: int) -> None:
        """See that everything came, once and in order."""
        assert self.done
        assert self.numbers == list(range(1, len(self.numbers) + 1))
        assert count < len(self.numbers) <= app.sent

    def _note(self, packet: SocketPacket) -> None:
        number, *rest = packet.args
        self.numbers.append(number)
        self.done = packet.name == "done"
        if packet.name == "bytes":
            assert rest == attachments(number)

    async def _post(self, body: str) -> None:
        status, answer = await self.server.post(self.sid, body)
        assert status == 200, answer


def decoded(packet: str) -> bytes:
    """Return the bytes of a binary packet in a polling answer."""
    return base64.b64decode(packet[1:])
