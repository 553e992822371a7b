"""Where a request comes from: its peer, or what a proxy that is trusted says of it."""

import asyncio
import ipaddress
from collections.abc import Iterable

import structlog
from aiohttp import web

log = structlog.get_logger(__name__)
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
UNKNOWN = "unknown"
MAX_HOPS = 32


class Addresses:
    """Reads X-Forwarded-For, -Proto and -Host, but only of proxies that are trusted.

    Each proxy appends the address of its peer, so only the right end of X-Forwarded-For is worth anything:
    the client is the right-most address that is no trusted proxy. `Forwarded` (RFC 7239) is not read.
    """

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        self._trusted = [network(text) for text in trusted]
        self._warned = False

    def of(self, request: web.Request) -> str:
        """Return a client's address without port; what cannot be read is not believed."""
        peer = _parsed(request.remote or "")
        if peer is None:
            return request.remote or UNKNOWN
        if not self._trusts(peer):
            self._warn(request)
            return str(peer)
        found = peer
        hops = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
        for hop in reversed(hops[-MAX_HOPS:]):
            address = _parsed(hop)
            if address is None:
                return str(found)
            found = address
            if not self._trusts(address):
                break
        return str(found)

    def peer(self, transport: asyncio.BaseTransport) -> str | None:
        """Return the address that a connection comes from, None for a proxy that is trusted, and for none."""
        name = transport.get_extra_info("peername")
        address = _parsed(str(name[0])) if isinstance(name, tuple) and name else None
        return None if address is None or self._trusts(address) else str(address)

    def origin(self, request: web.Request) -> str:
        """Return the origin under which a client sees this server."""
        scheme, host = request.scheme, request.host
        peer = _parsed(request.remote or "")
        if peer is not None and self._trusts(peer):
            scheme = _last(request, "X-Forwarded-Proto") or scheme
            host = _last(request, "X-Forwarded-Host") or host
        return f"{scheme.lower()}://{host.lower()}"

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)

    def _warn(self, request: web.Request) -> None:
        """Say once that a proxy may have been forgotten: all of its clients share one address then."""
        if not self._warned and "X-Forwarded-For" in request.headers:
            self._warned = True
            log.warning(
                "forwarded address not believed; name the proxy in GREENROOM_TRUSTED_PROXIES if it is yours",
                address=request.remote,
            )


def counted_as(address: str) -> str:
    """Return what a client's address counts as: of IPv6 its /64, for one client may have all of it."""
    parsed = _parsed(address)
    if not isinstance(parsed, ipaddress.IPv6Address):
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def network(text: str) -> Network:
    """Return the network that an address or a network in CIDR notation names; raises ValueError."""
    return ipaddress.ip_network(text.strip(), strict=False)


def _parsed(text: str) -> Address | None:
    """Return an address that may be quoted, in brackets, with a port or a zone; None for anything else."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text, _, port = text[1:].partition("]")
        if port and not (port[0] == ":" and _is_port(port[1:])):
            return None
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not _is_port(port):
            return None
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5


def _last(request: web.Request, header: str) -> str:
    """Return what the nearest proxy says; it may have appended to what was there."""
    return ",".join(request.headers.getall(header, [])).rpartition(",")[2].strip()
