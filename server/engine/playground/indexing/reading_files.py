"""Gives documents their texts and cuts: short texts here, files and long texts in a child process."""

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson

from schemas.pipeline import MAX_DOCUMENT, TransformConfig
from server.engine.playground.indexing.cutting import MAX_CHUNKS, Cut, cut, is_markdown
from server.llm.embeddings import tokenizer_file

CHILD = Path(__file__).with_name("reading_child.py")
MEGABYTES = 1024
CPU_SECONDS = 20
WAIT_SECONDS = 40.0  # a busy machine may give a child little of its time
TEXT_TIMES = 3  # as much of both for what is text already: a long one takes that to cut
SHORT_CHARS = 16_000
GONE = "The uploaded file is gone; upload it again."
TOO_MUCH = f"The document takes too long, or more than {MEGABYTES} MB, to read; upload it in parts."
NOT_READ = "The file could not be read; check that it opens elsewhere, or upload its text."
Kind = Literal["text", "file", "html", "pdf"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """A text's cuts, with the text itself when it was read from a file; or why there are none."""

    text: str | None = None
    cuts: tuple[Cut, ...] = ()
    error: str | None = None


def kind_of(data: bytes, *, name: str, content_type: str) -> Kind:
    """Return what a file is: by what it begins with, what it is said to be, and its name."""
    said, ending = content_type.partition(";")[0].strip().lower(), Path(name.lower()).suffix
    if data[:1024].lstrip().startswith(b"%PDF-") or said == "application/pdf" or ending == ".pdf":
        return "pdf"
    if said in ("text/html", "application/xhtml+xml") or ending in (".html", ".htm", ".xhtml"):
        return "html"
    return "file"


async def cut_texts(texts: Sequence[str], config: TransformConfig) -> list[Readable]:
    """Return the cuts of texts that are short together, or of a text; cancelling is safe."""
    if sum(len(text) for text in texts) <= SHORT_CHARS:
        return await asyncio.to_thread(_cut_here, texts, config)
    return [await _in_child(text.encode(), "text", config, markdown=is_markdown(text)) for text in texts]


async def read_file(data: bytes, *, name: str, content_type: str, config: TransformConfig) -> Readable:
    """Return the text of a file and its cuts; cancelling ends the child."""
    kind = kind_of(data, name=name, content_type=content_type)
    markdown = (
        kind == "html" or Path(name.lower()).suffix in (".md", ".markdown") or "markdown" in content_type
    )
    return await _in_child(data, kind, config, markdown=markdown)


def _cut_here(texts: Sequence[str], config: TransformConfig) -> list[Readable]:
    return [Readable(cuts=tuple(cut(text, config, markdown=is_markdown(text)))) for text in texts]


async def _in_child(data: bytes, kind: Kind, config: TransformConfig, *, markdown: bool) -> Readable:
    work = {
        "kind": kind,
        "markdown": markdown,
        "size": config.chunk_size,
        "overlap": config.chunk_overlap,
        "tokenizer": str(tokenizer_file()),
        "most_bytes": MAX_DOCUMENT,
        "most_chunks": MAX_CHUNKS,
    }
    times = TEXT_TIMES if kind in ("text", "file") else 1
    command = [sys.executable, "-I", str(CHILD), str(MEGABYTES), str(CPU_SECONDS * times)]
    # The splitter is to take one processor, not all.
    environment = {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}
    child = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment, cwd="/"
    )
    try:
        return await _answer(child, orjson.dumps(work) + b"\n" + data, seconds=WAIT_SECONDS * times)
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await asyncio.shield(child.wait())


async def _answer(child: Process, work: bytes, *, seconds: float) -> Readable:
    try:
        async with asyncio.timeout(seconds):
            output, _ = await child.communicate(work)
    except TimeoutError:
        return Readable(error=TOO_MUCH)
    if child.returncode in (-signal.SIGXCPU, -signal.SIGKILL, -signal.SIGABRT):
        return Readable(error=TOO_MUCH)
    if child.returncode != 0 or not output:
        return Readable(error=NOT_READ)
    answer = orjson.loads(output)
    if "error" in answer:
        return Readable(error=answer["error"])
    return Readable(text=answer["text"], cuts=tuple((start, end) for start, end in answer["cuts"]))
