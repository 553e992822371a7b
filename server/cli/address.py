"""Addresses as they may be shown: without credentials."""

from ipaddress import ip_address


def without_credentials(url: str) -> str:
    """Return an address with user and password hidden and without its query, which may hold secrets too."""
    scheme, mark, rest = url.partition("://") if "://" in url else ("", "", url)
    _, at, place = rest.rpartition("@")
    return f"{scheme}{mark}{'***@' if at else ''}{place.partition('?')[0]}"


def hosts_of(url: str) -> str:
    """Return the host:port part of an address, without its scheme and path."""
    place = without_credentials(url)
    return place.rpartition("://")[2].removeprefix("***@").partition("/")[0] or "(no host)"


def reachable(host: str) -> str:
    """Return the host by which this machine reaches a server that listens on a host."""
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)


def http_url(host: str, port: int) -> str:
    """Return the address of a server."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches a server that listens on a host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
