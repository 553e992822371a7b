"""Fails when a version of python-engineio, python-socketio or aiohttp changes what we replace or rely on."""

import hashlib
import inspect

from server.transports.socketio.library import PRIVATE

KNOWN = {
    "engineio.base_server.BaseServer.__init__": "a06b17502fbd",
    "engineio.async_server.AsyncServer.attach": "7874d4dc1c31",
    "engineio.async_server.AsyncServer.handle_request": "1a8c878e3516",
    "engineio.async_server.AsyncServer.send_packet": "c54317440865",
    "engineio.async_server.AsyncServer.disconnect": "8bb6448caae4",
    "engineio.base_server.BaseServer.generate_id": "b6a591454237",
    "engineio.async_server.AsyncServer._handle_connect": "5bd7edc1d1ae",
    "engineio.base_server.BaseServer._get_socket": "ae2f99e66d63",
    "engineio.base_server.BaseServer.on": "7b5457b52dc7",
    "engineio.base_socket.BaseSocket.__init__": "8532b631a4dc",
    "engineio.async_socket.AsyncSocket.send": "0437276ccba7",
    "engineio.async_socket.AsyncSocket.close": "faa2e9390254",
    "engineio.async_socket.AsyncSocket.schedule_ping": "fe316639159c",
    "socketio.async_server.AsyncServer.__init__": "7ae671981d87",
    "socketio.async_server.AsyncServer.attach": "4ee66bedf2ae",
    "socketio.async_server.AsyncServer.handle_request": "fdf4d1481b6a",
    "socketio.async_server.AsyncServer.emit": "84391bfd6241",
    "socketio.async_server.AsyncServer._engineio_server_class": "199c42bf1492",
    "socketio.async_server.AsyncServer._handle_eio_connect": "76704886d944",
    "socketio.async_server.AsyncServer._handle_eio_message": "bef50fc0e163",
    "socketio.async_server.AsyncServer._handle_eio_disconnect": "9344593148b6",
    "aiohttp.web_runner.AppRunner.__init__": "0193207d4c8f",
    "aiohttp.web_runner.AppRunner._make_server": "2d5358865abd",
    "aiohttp.web_app.Application._make_handler": "63e4c1bdd0e8",
    "aiohttp.web_server.Server.__init__": "ceb06418afb9",
    "aiohttp.web_server.Server.__call__": "c5700549e688",
    "aiohttp.web_protocol.RequestHandler.__init__": "46c577d1f419",
    "aiohttp.web_protocol.RequestHandler.connection_made": "44d50b5763b2",
    "aiohttp.web_protocol.RequestHandler.connection_lost": "df2fe6e95fd0",
    "aiohttp.web_protocol.RequestHandler.data_received": "1ee57ebe052e",
    "aiohttp.web_protocol.RequestHandler.start": "2e565fd40c8e",
}


def fingerprints() -> dict[str, str]:
    """Return a short hash of the source of every name that is touched."""
    found = {}
    for owner, names in PRIVATE:
        for name in names:
            function = getattr(owner, name)
            source = inspect.getsource(function).encode()
            found[f"{function.__module__}.{function.__qualname__}"] = hashlib.sha256(source).hexdigest()[:12]
    return found


def test_what_is_touched_is_what_it_was() -> None:
    """Compare; when it fails, read the library's change, adapt what extends it, then update KNOWN."""
    assert fingerprints() == KNOWN
