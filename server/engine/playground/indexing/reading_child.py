"""Reads a file and cuts its text, in a process of its own that may be killed at any time.

Run as a file (`python -I reading_child.py MEGABYTES SECONDS`): standard input is one line of JSON that says
what follows it and how it is cut; standard output is one line of JSON with the text and its cuts, or what is
wrong.
"""

import contextlib
import io
import json
import resource
import sys
from typing import Any

ENCRYPTED = "The PDF is encrypted; upload it without its password."
NO_TEXT = "The PDF has no text, only images; run a text recognition over it, and upload what that gives."
BROKEN = "The file cannot be read as what it says it is; check that it opens elsewhere."
TOO_LONG = "The file has more text than a document may have; upload it in parts."
TOO_MANY = "The document would be cut into too many chunks; choose larger chunks, or upload it in parts."
_LEFT_OUT = ("script", "style", "template", "noscript", "svg", "head")


class Unreadable(Exception):
    """A file that has no text for us."""


def main() -> None:
    """Read what is to be done, and do it within the limits."""
    megabytes, seconds = int(sys.argv[1]), int(sys.argv[2])
    with contextlib.suppress(ValueError, OSError):  # macOS cannot bound memory so
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    work = json.loads(sys.stdin.buffer.readline())
    sys.stdout.write(json.dumps(done(work, sys.stdin.buffer.read())) + "\n")


def done(work: dict[str, Any], data: bytes) -> dict[str, Any]:
    """Return the text with its cuts, or the error."""
    try:
        text = read(data, work["kind"], most=work["most_bytes"])
        cuts = cut(text, work)
    except Unreadable as error:
        return {"error": str(error)}
    return {"text": text if work["kind"] != "text" else None, "cuts": cuts}


def read(data: bytes, kind: str, *, most: int) -> str:
    """Return the text of a file."""
    readers = {"pdf": of_pdf, "html": of_html}
    try:
        text = readers.get(kind, of_text)(data)
    except MemoryError:
        raise Unreadable(TOO_LONG) from None
    if len(text.encode()) > most:
        raise Unreadable(TOO_LONG)
    return text


def of_text(data: bytes) -> str:
    """Return a text as it is, or as older programs write it."""
    for encoding in ("utf-8-sig", "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252"):
        with contextlib.suppress(UnicodeDecodeError):
            return _storable(data.decode(encoding))
    return _storable(data.decode("latin-1"))


def of_html(data: bytes) -> str:
    """Return a page as Markdown, without what is not shown."""
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    sys.setrecursionlimit(20_000)
    try:
        page = BeautifulSoup(data, "html.parser")
        for tag in page.find_all(_LEFT_OUT):
            tag.decompose()
        return _storable(str(MarkdownConverter(heading_style="ATX").convert_soup(page))).strip()
    except (RecursionError, ValueError, AssertionError):
        raise Unreadable(BROKEN) from None


def of_pdf(data: bytes) -> str:
    """Return the texts of a PDF's pages."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable(ENCRYPTED)
        text = "\n\n".join(page.extract_text() for page in reader.pages)
    except (PyPdfError, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError, OSError):
        raise Unreadable(BROKEN) from None  # a damaged file may bring the library to any of these
    except (NotImplementedError, ImportError):
        raise Unreadable(ENCRYPTED) from None  # by a method that the library does not have
    if not text.strip():
        raise Unreadable(NO_TEXT)
    return _storable(text)


def cut(text: str, work: dict[str, Any]) -> list[tuple[int, int]]:
    """Return where the chunks begin and end."""
    from semantic_text_splitter import MarkdownSplitter, TextSplitter

    kind = MarkdownSplitter if work["markdown"] else TextSplitter
    splitter = kind.from_huggingface_tokenizer_file(work["tokenizer"], work["size"], overlap=work["overlap"])
    cuts = [(at, at + len(chunk)) for at, chunk in splitter.chunk_indices(text)]
    if len(cuts) > work["most_chunks"]:
        raise Unreadable(TOO_MANY)
    return cuts


def _storable(text: str) -> str:
    """Return a text without what no database and no client takes: half surrogate pairs and NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


if __name__ == "__main__":
    main()
