"""Addresses as they may be shown: without credentials."""

import re


def without_credentials(url: str) -> str:
    """Return an address with user and password hidden and without its query, which may hold secrets too."""
    return re.sub(r"//.*@", "//***@", url).partition("?")[0]


def hosts_of(url: str) -> str:
    """Return the host:port part of an address."""
    return without_credentials(url).partition("//")[2].removeprefix("***@").partition("/")[0] or "(no host)"


def web_address(host: str, port: int) -> str:
    """Return the address at which this machine reaches a server that listens on a host and port."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, host)
    if ":" in reached and not reached.startswith("["):
        reached = f"[{reached}]"
    return f"http://{reached}:{port}"
