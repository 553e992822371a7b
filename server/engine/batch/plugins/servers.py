"""Work out the base addresses of an OpenAPI document's operations."""

import re
from typing import Any
from urllib.parse import urljoin

from yarl import URL

from schemas.envelope import JsonObject

_VARIABLE = re.compile(r"\{([^{}]+)\}")


def servers_of(document: JsonObject, *holders: JsonObject, url: str) -> tuple[str, ...]:
    """Return the base addresses without a trailing slash; `url` is the document's own address.

    The first of `holders` (operation, path item) that lists servers counts, then the document. Variables
    have their defaults; relative addresses start at the document's; with none at all it is its origin.
    """
    if "swagger" in document and "servers" not in document:
        found = _swagger_servers(document, url=url)
    else:
        listed: list[Any] = []
        for holder in (*holders, document):
            if isinstance(holder.get("servers"), list) and holder["servers"]:
                listed = holder["servers"]
                break
        found = [_address(server, url=url) for server in listed]
    bases = [base.partition("?")[0].partition("#")[0].rstrip("/") for base in found if base]
    return tuple(dict.fromkeys(bases)) or (_origin(url),)


def _origin(url: str) -> str:
    return str(URL(url).origin())


def _address(server: object, *, url: str) -> str:
    if not isinstance(server, dict) or not isinstance(server.get("url"), str):
        return ""
    variables = server.get("variables")

    def default(match: re.Match[str]) -> str:
        variable = variables.get(match[1]) if isinstance(variables, dict) else None
        value = variable.get("default") if isinstance(variable, dict) else None
        return match[0] if value is None else str(value)

    filled = _VARIABLE.sub(default, server["url"].strip())
    try:
        return urljoin(url, filled)
    except ValueError:
        return ""


def _swagger_servers(document: JsonObject, *, url: str) -> list[str]:
    own_scheme, _, own_host = _origin(url).partition("://")
    given = document.get("host")
    host = given.rpartition("://")[2].strip("/ ") if isinstance(given, str) else ""
    base = document.get("basePath")
    base = "/" + base.strip("/") if isinstance(base, str) else ""
    schemes = document.get("schemes")
    wanted = [s for s in schemes if s in ("http", "https")] if isinstance(schemes, list) else []
    return [f"{scheme}://{host or own_host}{base}" for scheme in sorted(wanted or [own_scheme], reverse=True)]
