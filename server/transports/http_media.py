"""Media that were made here, by their unguessable addresses: whoever knows one may look."""

from aiohttp import web

from server.errors import NotFound
from server.store import Store
from server.transports import keys
from server.transports.documents.told import Media, told
from server.transports.http_query import id_of


def attach(app: web.Application) -> None:
    """Add the address of media; pages show images, which cannot send a token."""
    app.router.add_get("/media/{id}", HttpMedia(app[keys.STORE]).get)


class HttpMedia:
    """The handler of media."""

    def __init__(self, store: Store) -> None:
        self._media = store.media

    @told(Media("image/*"), is_open=True)
    async def get(self, request: web.Request) -> web.Response:
        """Answer a medium; it never changes."""
        medium = await self._media.get(id_of(request))
        if medium is None:
            raise NotFound("There is no such medium.")
        return web.Response(
            body=medium.data,
            content_type=medium.media_type,
            headers={
                "Cache-Control": "private, max-age=31536000, immutable",
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "X-Content-Type-Options": "nosniff",
            },
        )
