"""Takes the port before anything is started, so that one in use is told at once."""

import errno
import socket
import sys

from server.cli.failure import Failure

BACKLOG = 512


def listen(host: str, port: int, *, shared: bool = False) -> list[socket.socket]:
    """Return sockets on every address of a host, all on the same port; raises Failure.

    They listen, so that clients that connect before the server is up wait for it. Sockets that share their
    port with other processes do not: until this one is up the others serve, and ask for it with `shared`.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise Failure(f"there is no address for the host {host}: {error.strerror}; see --host") from error
    sockets: list[socket.socket] = []
    for family, _, _, _, address in dict.fromkeys(found):
        number = port or (bound_port(sockets) if sockets else 0)
        try:
            sockets.append(_listen(family, (str(address[0]), number), shared=shared))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL and len(found) > 1:
                continue  # localhost names ::1 also where there is no IPv6
            for opened in sockets:
                opened.close()
            raise Failure(_reason(error, host, number)) from error
    if not sockets:
        raise Failure(f"this machine has none of the addresses of {host}; see --host")
    return sockets


def can_share_ports() -> bool:
    """Tell whether this system lets processes share a port and hand connections to each other."""
    return hasattr(socket, "SO_REUSEPORT") and sys.platform != "win32"


def bound_port(sockets: list[socket.socket]) -> int:
    """Return the port that was really bound."""
    port: int = sockets[0].getsockname()[1]
    return port


def _listen(family: int, address: tuple[str, int], *, shared: bool) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if shared:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        opened.bind(address)
        if not shared:
            opened.listen(BACKLOG)
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is in use, perhaps by another Greenroom; "
            "stop that, or choose another with --port or PORT"
        )
    if error.errno == errno.EACCES:
        return f"port {port} is not for you to use; choose one from 1024 up with --port or PORT"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"this machine does not have the address {host}; see --host"
    return f"cannot listen on {host}, port {port}: {error.strerror}"
