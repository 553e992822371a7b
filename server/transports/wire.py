"""What all transports do to a connection: bound what it buffers, and end it without waiting for its peer."""

import asyncio
import socket as stdsocket

SEND_BUFFER = 64 * 1024
LINGER_SECONDS = 2.0


def bound(wire: asyncio.Transport) -> None:
    """Limit what the kernel buffers for a peer; its default would hide for megabytes that nobody reads."""
    if (raw := wire.get_extra_info("socket")) is not None:
        raw.setsockopt(stdsocket.SOL_SOCKET, stdsocket.SO_SNDBUF, SEND_BUFFER)


def end(wire: asyncio.Transport, last: bytes) -> None:
    """Close a connection after what was written and `last`; a peer that does not read is cut soon."""
    if not wire.is_closing():
        wire.write(last)
        wire.close()
        if wire.get_write_buffer_size():
            asyncio.get_running_loop().call_later(LINGER_SECONDS, wire.abort)
