"""Which web pages may talk to the server: its own, and those that are listed."""

from collections.abc import Iterable

from aiohttp import web

from server.transports.addresses import Addresses

ADMIN = "/admin"


class Origins:
    """The origins that are allowed besides the server's own; raises ValueError for a wildcard.

    Those in `admin` may connect to the namespace of the Admin UI, and to others only when listed, too.
    """

    def __init__(
        self, listed: Iterable[str], addresses: Addresses | None = None, *, admin: Iterable[str] | None = None
    ) -> None:
        self.addresses = addresses or Addresses()
        self.split = admin is not None
        self._clients = frozenset(origin.rstrip("/") for origin in listed)
        self._admin = frozenset(origin.rstrip("/") for origin in admin or ())
        self._listed = self._clients | self._admin
        if wrong := [origin for origin in self._listed if "*" in origin or "://" not in origin]:
            raise ValueError(
                f"cors_origins: {', '.join(sorted(wrong))} is not an origin such as https://app.example.org; "
                "wildcards are refused because they would let any page act with a visitor's credentials"
            )

    def allow(self, request: web.Request) -> bool:
        """Tell whether a request may be served; one without an origin comes from no page."""
        origin = request.headers.get("Origin")
        return origin is None or origin in self._listed or origin == self.addresses.origin(request)

    def namespaces(self, request: web.Request) -> frozenset[str] | None:
        """Return the namespaces that an allowed request may connect to, None for all."""
        origin = request.headers.get("Origin")
        if origin is None or origin == self.addresses.origin(request):
            return None
        found = (("/", self._clients), (ADMIN, self._admin))
        return frozenset(name for name, origins in found if origin in origins)

    def headers(self, request: web.Request) -> dict[str, str]:
        """Return what lets the page that sent an allowed request read the answer."""
        origin = request.headers.get("Origin")
        if origin is None:
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Vary": "Origin",
        }

    def preflight(self, request: web.Request) -> web.Response:
        """Answer the question a browser asks before a request that is not simple."""
        headers = self.headers(request) | {
            "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
            "Access-Control-Allow-Headers": request.headers.get("Access-Control-Request-Headers", ""),
            "Access-Control-Max-Age": "600",
        }
        return web.Response(status=204, headers=headers)
