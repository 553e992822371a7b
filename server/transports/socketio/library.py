"""The names of python-engineio, python-socketio and aiohttp that are extended or relied on, in one place.

The first two carry no types, so their classes are imported here once. `PRIVATE` names all methods beyond the
documented interfaces, `ATTRIBUTES` what else is read of objects, both of aiohttp in transports/heads.py;
tests/transports/socketio/test_library.py fails when a version changes one of them.
"""

from aiohttp import web
from engineio import AsyncServer as EngineBase
from engineio.async_socket import AsyncSocket as SocketBase
from socketio import AsyncServer as SocketIOBase

__all__ = ["ATTRIBUTES", "PRIVATE", "EngineBase", "SocketBase", "SocketIOBase"]

# what is replaced must stay what it was when it was replaced, what is used must keep its shape
PRIVATE: tuple[tuple[type, tuple[str, ...]], ...] = (
    (EngineBase, ("__init__", "attach", "handle_request", "send_packet", "disconnect", "generate_id")),
    (EngineBase, ("_handle_connect", "_get_socket", "on")),
    (SocketBase, ("__init__", "send", "close", "schedule_ping")),
    (SocketIOBase, ("__init__", "attach", "handle_request", "emit", "_engineio_server_class")),
    (SocketIOBase, ("_handle_eio_connect", "_handle_eio_message", "_handle_eio_disconnect")),
    # aiohttp
    (web.AppRunner, ("__init__", "_make_server")),
    (web.Application, ("_make_handler",)),
    (web.Server, ("__init__", "__call__")),
    (web.RequestHandler, ("__init__", "connection_made", "connection_lost", "data_received", "start")),
)
ATTRIBUTES: tuple[tuple[type, tuple[str, ...]], ...] = ((web.RequestHandler, ("_request_count", "_waiter")),)
