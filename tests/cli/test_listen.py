"""Taking ports."""

import socket

import pytest

from server.cli.failure import Failure
from server.cli.listen import bound_port, listen


def close(sockets: list[socket.socket]) -> None:
    for opened in sockets:
        opened.close()


def test_all_addresses_of_a_host_get_the_same_free_port() -> None:
    sockets = listen("localhost", 0)
    try:
        assert {opened.getsockname()[1] for opened in sockets} == {bound_port(sockets)}
        with socket.create_connection(("127.0.0.1", bound_port(sockets)), timeout=5):
            pass
    finally:
        close(sockets)


def test_a_port_that_is_taken_cannot_be_taken_again() -> None:
    first = listen("127.0.0.1", 0)
    try:
        with pytest.raises(Failure, match=f"port {bound_port(first)} of 127.0.0.1 is in use"):
            listen("127.0.0.1", bound_port(first))
    finally:
        close(first)


@pytest.mark.parametrize(
    ("host", "told"), [("192.0.2.1", "does not have the address"), ("no host", "there is no address")]
)
def test_a_host_that_is_not_this_machine_is_refused(host: str, told: str) -> None:
    with pytest.raises(Failure, match=told):
        listen(host, 0)
