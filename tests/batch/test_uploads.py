"""Jobs that take long to come, and many large ones at once."""

from dataclasses import replace

import orjson

from server.transports.uploads import UPLOADS
from server.transports.ws_batch import BATCH_SOCKETS
from tests.batch.conftest import Shop
from tests.batch.sockets import last_words, opened
from tests.support.batch_jobs import Talk
from tests.support.batches import job_of
from tests.support.passing import passes

PIECE = 64 * 1024


class Drip:
    """Sends one text message piece by piece."""

    def __init__(self, talk: Talk, size: int) -> None:
        writer = talk.socket._writer
        assert writer is not None
        self._transport = writer.transport
        self._transport.write(b"\x81" + bytes([0x80 | 127]) + size.to_bytes(8, "big") + bytes(4))

    def send(self, piece: bytes) -> None:
        """Send some of the message."""
        self._transport.write(piece)


async def test_a_long_upload_is_waited_for_as_long_as_it_comes(shop: Shop) -> None:
    sockets = shop.server.app[BATCH_SOCKETS]
    sockets.limits = replace(sockets.limits, first_within=0.6)
    text = orjson.dumps(job_of(1)).ljust(5 * PIECE)
    async with opened(shop) as talk:
        drip = Drip(talk, len(text))
        for at in range(0, len(text), PIECE):
            await passes(0.4, because="a slow line takes its time")
            drip.send(text[at : at + PIECE])
        results, _ = await talk.whole()
    assert len(results) == 1


async def test_a_job_that_drips_is_given_up(shop: Shop) -> None:
    sockets = shop.server.app[BATCH_SOCKETS]
    sockets.limits = replace(sockets.limits, first_within=0.6)
    async with opened(shop) as talk:
        Drip(talk, 5 * PIECE).send(b"{")
        message, code = await last_words(talk)
    assert (message["code"], code) == ("bad_request", 1008)


async def test_more_large_jobs_than_fit_are_told_to_wait(shop: Shop) -> None:
    uploads = shop.server.app[UPLOADS]
    uploads.most = 1024 * 1024
    async with opened(shop) as talk:
        drip = Drip(talk, 200 * PIECE)
        drip.send(bytes(50 * PIECE))
        message, code = await last_words(talk)
        assert (message["code"], code) == ("unavailable", 1011)
        assert message["retry_after"] > 0
    assert uploads.held == 0


async def test_a_later_message_is_not_kept_beyond_its_limit(shop: Shop) -> None:
    shop.server.model.script([{"hang": True}])
    job = await shop.start(1)
    async with opened(shop) as talk:
        await talk.say({"resume": job.id})
        drip = Drip(talk, 200 * PIECE)
        drip.send(bytes(50 * PIECE))
        message, code = await last_words(talk)
    assert (message["code"], code) == ("too_large", 1009)
