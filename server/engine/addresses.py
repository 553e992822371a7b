"""Which addresses may be called: without credentials, at machines of the public internet."""

import asyncio
import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from server.errors import BadRequest

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

Schemes = tuple[str, str]
WEB: Schemes = ("http", "https")
SOCKETS: Schemes = ("ws", "wss")
_KINDS = {WEB: "web", SOCKETS: "WebSocket"}

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # the last 32 bits are the IPv4 address that is reached
_LONGEST = 300
_FAMILIES = (socket.AF_INET, socket.AF_INET6)


def shown(url: URL | str) -> str:
    """Return an address for people and logs: without what may be secret, its user part and query."""
    try:
        parsed = URL(url)
        text = str(parsed.with_user(None).with_query(None).with_fragment(None))
    except ValueError:
        text = str(url).partition("?")[0]
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def checked(url: URL | str, *, private: bool, schemes: Schemes = WEB) -> URL:
    """Return an address that may be called; a name is checked only when it is resolved.

    Raises BadRequest for other schemes, credentials, and literal addresses of private networks.
    """
    usual = f"write {schemes[-1]}://host/path"
    try:
        parsed = URL(url)
    except ValueError as error:
        raise BadRequest(f"{shown(url)} is no address: {usual}") from error
    if parsed.scheme not in schemes or not parsed.raw_host:
        raise BadRequest(f"{shown(parsed)} is no {_KINDS[schemes]} address: {usual}")
    if parsed.raw_user is not None or parsed.raw_password is not None:
        raise BadRequest(f"{shown(parsed)} carries a user name or password: leave them out of the address")
    literal = _literal(parsed.raw_host)
    if literal and not private and not is_public(literal):
        raise _refused(parsed.raw_host)
    return parsed.with_fragment(None)


def origin_of(url: URL | str) -> URL | None:
    """Return scheme, host and port of an address; None for what is none."""
    try:
        return URL(url).origin()
    except ValueError:
        return None


def is_public(address: IpAddress) -> bool:
    """Tell whether an IP address belongs to the public internet, also one wrapped in an IPv6 address."""
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = _wrapped(address)
        if wrapped:
            return is_public(wrapped)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _wrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo:
        return address.teredo[1]
    low = int(address) & 0xFFFF_FFFF
    if address in _NAT64 or int(address) == low:  # ::1 and ::, and the deprecated ::a.b.c.d
        return ipaddress.IPv4Address(low)
    return None


def _literal(host: str) -> IpAddress | None:
    # what is no address in the strict sense (127.1, 0x7f.1) is a name: either aiohttp refuses it or the
    # resolver turns it into an address that is checked
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _refused(host: str) -> BadRequest:
    return BadRequest(
        f"{host} is an address of a private network, which this server does not call: "
        "use a public address, or set GREENROOM_PRIVATE_URLS=true"
    )


class PublicResolver(AbstractResolver):
    """Resolves names and refuses those with any address that is not public.

    Connections are made to exactly the addresses that it returns, so a name that changes its mind between
    the check and the connection gains nothing.
    """

    def __init__(self, *, private: bool) -> None:
        self._private = private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name; raises BadRequest when one is not public, OSError for none."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        except UnicodeError as error:  # a part of the name is too long
            raise OSError("no host has such a name") from error
        results = [_result(host, item[0], item[4]) for item in found if item[0] in _FAMILIES]
        for result in results:
            if not self._private and not is_public(ipaddress.ip_address(result["host"])):
                raise _refused(host)
        return results

    async def close(self) -> None:
        """Do nothing: the resolver holds nothing."""


def _result(host: str, family: int, address: tuple[object, ...]) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=str(address[0]),
        port=int(str(address[1])),
        family=family,
        proto=0,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
