"""What all transports do to a connection: bound what it buffers, and end it without waiting for its peer."""

import asyncio
import socket as stdsocket
import sys

SEND_BUFFER = 64 * 1024
LINGER_SECONDS = 2.0
SILENCE_SECONDS = 20.0


def bound(wire: asyncio.Transport) -> None:
    """Limit what the kernel buffers for a peer; its default would hide for megabytes that nobody reads."""
    if (raw := wire.get_extra_info("socket")) is not None:
        raw.setsockopt(stdsocket.SOL_SOCKET, stdsocket.SO_SNDBUF, SEND_BUFFER)


def give_up_on_silence(wire: asyncio.Transport) -> None:
    """Have the kernel cut a connection soon whose peer acknowledges nothing, not after a quarter hour."""
    raw = wire.get_extra_info("socket")
    if raw is not None and sys.platform == "linux":
        raw.setsockopt(stdsocket.IPPROTO_TCP, stdsocket.TCP_USER_TIMEOUT, round(SILENCE_SECONDS * 1000))


def end(wire: asyncio.Transport, last: bytes) -> None:
    """Close a connection after what was written and `last`; a peer that does not read is cut soon."""
    if not wire.is_closing():
        wire.write(last)
        wire.close()
        if wire.get_write_buffer_size():
            asyncio.get_running_loop().call_later(LINGER_SECONDS, wire.abort)
