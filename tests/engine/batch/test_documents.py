"""Reads JSON and YAML documents as they are found: sloppy, strange and hostile ones."""

import asyncio
from contextlib import aclosing

import pytest
from structlog.testing import capture_logs

from schemas.envelope import JsonObject
from server.engine.batch.plugins.documents import (
    MAX_YAML_BYTES,
    References,
    Remote,
    read_document,
    read_yaml_document,
)
from server.engine.batch.plugins.fetching import Fetcher
from server.engine.batch.plugins.loading import PluginLoader
from server.engine.batch.plugins.plain_values import TooMuch
from server.engine.batch.plugins.yaml_documents import read_yaml
from server.errors import BadRequest, Internal
from tests.engine.batch.web import site

URL = "https://api.test/openapi?key=hidden"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": [1, 2.5, null, true]}', {"a": [1, 2.5, None, True]}),
        ("\ufeffa: 1", {"a": 1}),
        ('{"a": 1, "b": [1,],}', {"a": 1, "b": [1]}),  # YAML takes what JSON does not
        ("200: ok\ntrue: yes\nnull: x", {"200": "ok", "true": "yes", "null": "x"}),
        ("version: 2023-01-02\nat: 2023-01-02T03:04:05Z", None),
        ("version: 1.0\nbig: .inf\nnone: .nan", {"version": 1.0, "big": "inf", "none": "nan"}),
        ("a: 1\na: 2", {"a": 1}),
        ("a: &x {b: 1}\nc: *x\nd:\n  <<: *x", {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1}}),
        ("? [1, 2]\n: x", {"(1, 2)": "x"}),
        ("%YAML 1.1\n---\na: 1", {"a": 1}),
        ("a: !!set {x, y}", {"a": ["x", "y"]}),
        ("a: !!binary aGk=", {"a": "b'hi'"}),
        ('{"a": "\\ud800", "b": "\\u00e9"}', {"a": "?", "b": "é"}),
        ("a: 123456789012345678901", {"a": 123456789012345678901.0}),
        ("a: 1" + "0" * 400, {"a": "1" + "0" * 400}),
        ("a: -0x" + "f" * 3000, {"a": "-0x" + "f" * 3000}),
        ("a: 0x_f\nb: 1_000.5\nc: [1e5, -.inf]", {"a": 15, "b": 1000.5, "c": [1e5, "-inf"]}),
        ("%YAML 1.1\n---\na: 010\nb: 1e5\nc: 1:30.5", {"a": 8, "b": 1e5, "c": 90.5}),
        ("a: =\n=: <<\n'<<': 1", {"a": "=", "=": "<<", "<<": 1}),
        ("a: !!omap [x: 1, y: 2]", {"a": [{"x": 1}, {"y": 2}]}),
        ("a: &x {b: 1, c: 1}\nd: {<<: *x, c: 2}", {"a": {"b": 1, "c": 1}, "d": {"b": 1, "c": 2}}),
        ("m: &m {b: 1}\nn: &n {<<: *m, b: 2}\na: {<<: [*n, *m]}", None),
    ],
)
def test_values_become_those_of_json(text: str, expected: JsonObject | None) -> None:
    found = read_document(text.encode(), url=URL)
    if "<<: [*n" in text:
        assert found["a"] == {"b": 2}
    elif expected is None:
        assert found["version"] == "2023-01-02"
        assert found["at"].startswith("2023-01-02T03:04:05")
    else:
        assert found == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a secret",
        "[1, 2]",
        "<!DOCTYPE html><html><body>a secret</body></html>",
        '{"a": "secret',
        "a: [1",
        "a: 2023-13-45",
        "a: !!python/object/apply:os.system [secret]",
        "a: !secret x",
        "a: \x07",
        "<<: 1",
        "*secret : 1",
        "a: 1\n---\nb: 2",
        "a: &a [*a]",
        "[" * 200,
        '{"a":' * 200 + "1" + "}" * 200,
        "a: " + "9" * 5000,
        "a: 0x" + "f" * 5000,
        "a: -0b" + "1" * 30_000,
        "%YAML 1.1\n---\na: 1" + ":30" * 3000,
        "a: 0x_",
        "a: 0o_",
        "a: !!bool secret",
        "a: !!int secret",
        "a: !!float secret",
        "%YAML 1.1\n---\na: !!float secret",
        "a: !!timestamp secret",
        "a: !!binary é",
        "a: !!str [secret]",
        "a: !!map [secret]",
        "a: !!seq secret",
        "a: 9999-12-31 23:59:59 +99:99",
        'a: "\\UFFFFFFFF"',
        'a: "\\U00110000"',
        "%YAML 9.9\n---\na: 1",
        "%TAG ! tag:x,2000:\n---\na: !y 1",
        "a: {<<: [secret]}",
        "? &a [*a]\n: 1",
    ],
)
def test_what_cannot_be_read_is_refused_without_its_text(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_document(text.encode(), url=URL)
    assert "https://api.test/openapi" in caught.value.message
    assert "secret" not in caught.value.message
    assert "hidden" not in caught.value.message


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(BadRequest, match="is not UTF-8 text"):
        read_document(b"\x89PNG\xff\xfe", url=URL)


def nested(first: str, then: str, *, levels: int) -> str:
    """Return a document whose lines each use the one before nine times."""
    lines = [f"n0: &n0 {first}"]
    for level in range(1, levels):
        lines.append(f"n{level}: &n{level} " + then.replace("?", ", ".join([f"*n{level - 1}"] * 9)))
    return "\n".join([*lines, "paths: {}"])


MERGES = nested("{a: 1, b: 2}", "{<<: [?]}", levels=14)
WIDE = ", ".join(f"k{number}: 1" for number in range(2000))


@pytest.mark.parametrize(
    "text",
    [
        MERGES,
        nested("[x]", "[?]", levels=10),
        nested("{a: 1}", "{<<: {<<: [?]}}", levels=10),
        nested("[x]", "{k: [?]}", levels=10),
        f"m: &m {{{WIDE}}}\n" + "".join(f"b{number}: {{<<: *m}}\n" for number in range(1000)),
        f"m: &m {{{WIDE}}}\na: {{<<: [{'*m, ' * 1000}]}}",
        "m: &m {" + "a: 1, " * 2000 + "}\na: [" + "*m, " * 1000 + "]",
        f"m: &m [{'x, ' * 2000}]\n" + "? *m\n" * 1000,
        f"m: &m {'x' * 100_000}\na: [{'*m, ' * 1000}]",
        f"m: &m {'x' * 100_000}\na: [" + "{*m : 1}, " * 1000 + "]",
        f"m: &m !!binary {'aaaa' * 25_000}\na: [{'*m, ' * 1000}]",
        "a: &a {<<: *a}",
        "a: &a {b: {<<: *a}}",
        "".join(f"m{number}: &m{number} {{<<: *m{max(number - 1, 0)}}}\n" for number in range(200)),
    ],
)
def test_aliases_and_merges_count_each_time_they_are_used(text: str) -> None:
    with pytest.raises(BadRequest, match="too much for one document"):
        read_document(text.encode(), url=URL)


def test_keys_and_values_of_yaml_are_counted_while_they_are_read() -> None:
    assert read_yaml("a: [x, x]", seconds=60, nodes=5) == {"a": ["x", "x"]}
    with pytest.raises(TooMuch):
        read_yaml("a: [x, x]", seconds=60, nodes=4)


def test_reading_yaml_ends_in_time() -> None:
    with pytest.raises(BadRequest, match="takes more than 0 s to read as YAML"):
        read_yaml_document(b"a: 1", url=URL, seconds=0)


async def test_hostile_yaml_is_refused_once_for_a_job_while_others_are_read() -> None:
    async with site() as web, aclosing(Fetcher(mirror=None, private=True)) as fetcher:
        loader, hostile = PluginLoader(fetcher), [web.text(f"/{n}.yaml", MERGES) for n in range(8)]
        good = web.text("/good.json", '{"paths": {}, "info": {"title": "Good"}}')
        for _ in range(2):
            loads = [loader.load(url) for url in [*hostile, good]]
            *refused, plugin = await asyncio.gather(*loads, return_exceptions=True)
            assert all(isinstance(error, BadRequest) and "too much" in error.message for error in refused)
            assert getattr(plugin, "name", None) == "Good"
    assert len(web.asked) == 9


async def test_a_bug_is_remembered_like_other_failures() -> None:
    async with site() as web, aclosing(Fetcher(mirror=None, private=True)) as fetcher:
        url = web.text("/m.json", "{}")
        loader = PluginLoader(fetcher, headers={"Authorization": "no\nheader"}, home=url)
        with capture_logs() as logs:
            for _ in range(2):
                with pytest.raises(Internal, match=r"Reading http://127.0.0.1:\d+/m.json went wrong"):
                    await loader.load(f"{url}?key=hidden")
    assert [entry["url"] for entry in logs] == [url]


def test_large_yaml_is_refused_before_it_takes_long() -> None:
    with pytest.raises(BadRequest, match="too large to be read as YAML"):
        read_document(b"a: 1\n" * (MAX_YAML_BYTES // 5 + 1), url=URL)


def test_large_json_is_read() -> None:
    text = b'{"a": [' + b'"0123456789",' * 500_000 + b"1]}"
    assert len(read_document(text, url=URL)["a"]) == 500_001


BASE = "https://api.test/docs/a.json"


@pytest.fixture
def references() -> References:
    references = References()
    references.add(BASE, {"a": {"b c": {"$ref": "#/z"}}, "z": 1, "p": {"/x/{y}": [5]}})
    references.add("https://api.test/b.json", {"z": 2})
    return references


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("#/z", 1),
        ("#/a/b c", {"$ref": "#/z"}),
        ("#/a/b%20c", {"$ref": "#/z"}),
        ("#/p/~1x~1%7By%7D", [5]),
        ("#/p/~1x~1{y}/0", 5),
        ("a.json#/z", 1),
        ("../b.json#/z", 2),
        ("https://api.test/b.json#/z", 2),
    ],
)
def test_references_are_followed(references: References, reference: str, value: object) -> None:
    target = references.follow(reference, document=BASE)
    assert target
    assert target.value == value


@pytest.mark.parametrize(
    "reference", ["#/nope", "#nope", "#/z/q", "#/p/~1x~1{y}/9", "http://[bad", 5, None, []]
)
def test_references_to_nowhere_lead_nowhere(references: References, reference: object) -> None:
    assert references.follow(reference, document=BASE) is None


def test_an_unknown_document_is_asked_for(references: References) -> None:
    with pytest.raises(Remote) as wanted:
        references.follow("c.json#/z", document=BASE)
    assert wanted.value.url == "https://api.test/docs/c.json"
