"""Files read in a child process: their texts, and what is said of those that have none."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from schemas.pipeline import TransformConfig
from server.engine.playground.indexing.reading_files import TOO_MUCH, Kind, Readable, kind_of, read_file
from tests.engine.playground.pdfs import bomb, encrypted, pdf
from tests.support.passing import passes

CONFIG = TransformConfig(chunk_size=64, chunk_overlap=0)
PAGE = b"""<html><head><title>no</title><style>p { color: red }</style></head><body>
<script>alert("no")</script><h1>Fees &amp; hours</h1><p>A visit costs <b>20 &euro;</b>.</p>
<ul><li>children: half</li></ul><noscript>no</noscript></body></html>"""


async def read(data: bytes, name: str, content_type: str = "application/octet-stream") -> Readable:
    """Read a file."""
    return await read_file(data, name=name, content_type=content_type, config=CONFIG)


@pytest.mark.parametrize(
    ("data", "name", "said", "kind"),
    [
        (b"%PDF-1.4", "x.txt", "text/plain", "pdf"),
        (b"", "x.PDF", "", "pdf"),
        (b"<p>", "x.htm", "", "html"),
        (b"<p>", "x", "text/html; charset=utf-8", "html"),
        (b"# a", "x.md", "text/markdown", "file"),
        (b"a", "x", "", "file"),
    ],
)
def test_what_a_file_is(data: bytes, name: str, said: str, kind: Kind) -> None:
    assert kind_of(data, name=name, content_type=said) == kind


async def test_markdown_and_text_are_kept_as_they_are() -> None:
    text = "# Fees\n\nA visit costs 20 €.\n"
    found = await read(text.encode(), "fees.md")
    assert found.text == text
    assert [text[start:end] for start, end in found.cuts] == [text.strip()]
    assert (await read("Zürich".encode("cp1252"), "old.txt")).text == "Zürich"
    assert (await read("Zürich".encode("utf-16"), "wide.txt")).text == "Zürich"
    assert (await read(b"\xef\xbb\xbfa\0b", "marked.txt")).text == "ab"


async def test_a_page_becomes_markdown_without_what_is_not_shown() -> None:
    found = await read(PAGE, "page.html")
    assert found.text is not None
    assert found.text.startswith("# Fees & hours")
    assert "**20 €**" in found.text
    assert "children: half" in found.text
    assert "no" not in found.text.lower().split()
    assert "alert" not in found.text
    assert "color" not in found.text


async def test_the_pages_of_a_pdf_are_read_in_order() -> None:
    found = await read(pdf("The first page", "The second page"), "x.pdf", "application/pdf")
    assert found.text is not None
    assert found.text.split() == ["The", "first", "page", "The", "second", "page"]
    assert found.cuts


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (encrypted("x"), "encrypted"),
        (pdf("", ""), "no text, only images"),
        (b"%PDF-1.4 and then nothing of the kind", "cannot be read"),
        (pdf("cut off")[:200], "cannot be read"),
    ],
)
async def test_a_pdf_without_readable_text_says_why(data: bytes, said: str) -> None:
    found = await read(data, "x.pdf")
    assert said in (found.error or "")
    assert found.text is None


async def test_a_pdf_that_opens_without_a_password_is_read() -> None:
    assert (await read(encrypted(""), "x.pdf")).text == "secret text"


async def test_deeply_nested_and_endless_pages_end() -> None:
    found = await read(b"<div>" * 100_000 + b"text", "deep.html")
    assert found.error or "text" in (found.text or "")
    found = await read(b"a" * 5_000_000, "long.txt")
    assert "more text than a document may have" in (found.error or "")


async def test_a_pdf_that_takes_too_much_is_given_up_and_its_process_is_gone() -> None:
    before = _children()
    found = await read(bomb(300), "x.pdf")
    assert found.error in (
        TOO_MUCH,
        "The file cannot be read as what it says it is; check that it opens elsewhere.",
    )
    assert _children() == before


async def test_cancelling_ends_the_process() -> None:
    before = _children()
    reading = asyncio.create_task(read(bomb(300), "x.pdf"))
    async with asyncio.timeout(20):
        while _children() == before:
            await passes(0.01, because="nobody is told when a child process has begun")
    reading.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reading
    assert _children() == before


def _children() -> set[str]:
    """Return the processes that this one has started and that have not ended."""
    listed = Path("/proc/self/task").glob("*/children")
    return {pid for one in listed for pid in one.read_text().split()}
