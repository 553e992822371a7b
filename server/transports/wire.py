"""What all transports do to a connection: bound what it buffers, and end it without waiting for its peer."""

import asyncio
import fcntl
import socket as stdsocket
import sys
import termios

SEND_BUFFER = 64 * 1024
LINGER_SECONDS = 2.0
SILENCE_SECONDS = 20.0
BYTES_ACKED = slice(120, 128)  # of Linux's tcp_info, since 4.1
BYTES_RECEIVED = slice(128, 136)


def bound(wire: asyncio.Transport) -> None:
    """Limit what the kernel buffers for a peer; its default would hide for megabytes that nobody reads."""
    if (raw := wire.get_extra_info("socket")) is not None:
        raw.setsockopt(stdsocket.SOL_SOCKET, stdsocket.SO_SNDBUF, SEND_BUFFER)


def give_up_on_silence(wire: asyncio.Transport) -> None:
    """Have the kernel cut a connection soon whose peer acknowledges nothing, not after a quarter hour."""
    raw = wire.get_extra_info("socket")
    if raw is not None and sys.platform == "linux":
        raw.setsockopt(stdsocket.IPPROTO_TCP, stdsocket.TCP_USER_TIMEOUT, round(SILENCE_SECONDS * 1000))


def acknowledged(wire: asyncio.Transport) -> int | None:
    """Return how many bytes a peer has acknowledged so far; None when all are, or the system cannot tell."""
    raw = wire.get_extra_info("socket")
    if raw is None or raw.fileno() < 0 or sys.platform != "linux":
        return None
    waiting = fcntl.ioctl(raw.fileno(), termios.TIOCOUTQ, bytes(4))
    info = raw.getsockopt(stdsocket.IPPROTO_TCP, stdsocket.TCP_INFO, BYTES_ACKED.stop)
    return int.from_bytes(info[BYTES_ACKED], sys.byteorder) if any(waiting) else None


def received(wire: asyncio.Transport) -> int | None:
    """Return how many bytes a peer has sent so far, read or not; None when the system cannot tell."""
    raw = wire.get_extra_info("socket")
    if raw is None or raw.fileno() < 0 or sys.platform != "linux":
        return None
    info = raw.getsockopt(stdsocket.IPPROTO_TCP, stdsocket.TCP_INFO, BYTES_RECEIVED.stop)
    return int.from_bytes(info[BYTES_RECEIVED], sys.byteorder)


def end(wire: asyncio.Transport, last: bytes) -> None:
    """Close a connection after what was written and `last`; a peer that does not read is cut soon."""
    if not wire.is_closing():
        wire.write(last)
        wire.close()
        if wire.get_write_buffer_size():
            asyncio.get_running_loop().call_later(LINGER_SECONDS, wire.abort)
