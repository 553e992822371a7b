"""Addresses as they are shown."""

import pytest

from server.cli.address import hosts_of, http_url, reachable, without_credentials


@pytest.mark.parametrize(
    ("url", "shown", "hosts"),
    [
        ("mongodb://h:1/db?replicaSet=x", "mongodb://h:1/db", "h:1"),
        ("mongodb://ada:pw@h:1,i:2/?tlsCertificateKeyFilePassword=pw", "mongodb://***@h:1,i:2/", "h:1,i:2"),
        ("mongodb+srv://ada:p@w/d@h", "mongodb+srv://***@h", "h"),
        ("https://key@api.example.org/v1", "https://***@api.example.org/v1", "api.example.org"),
        ("https://api.example.org/v1?key=pw", "https://api.example.org/v1", "api.example.org"),
        ("ada:pw@h:1", "***@h:1", "h:1"),
        ("h:1", "h:1", "h:1"),
        ("mongodb://", "mongodb://", "(no host)"),
    ],
)
def test_credentials_are_hidden(url: str, shown: str, hosts: str) -> None:
    assert without_credentials(url) == shown
    assert hosts_of(url) == hosts
    assert "pw" not in shown + hosts


def test_a_wildcard_is_reached_by_the_loopback() -> None:
    assert http_url(reachable("0.0.0.0"), 80) == "http://127.0.0.1:80"
    assert http_url(reachable("::"), 80) == "http://[::1]:80"
    assert http_url(reachable("::"), 80) != http_url("::", 80) == "http://[::]:80"
    assert http_url(reachable("example.org"), 80) == "http://example.org:80"
