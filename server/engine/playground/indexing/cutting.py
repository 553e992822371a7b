"""Cuts texts into chunks where they part by themselves, and says what of a chunk is embedded."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from schemas.pipeline import TransformConfig
from server.engine.playground.describing import lines_of
from server.llm.embeddings import tokenizer_file

if TYPE_CHECKING:
    from semantic_text_splitter import MarkdownSplitter, TextSplitter

MAX_CHUNKS = 20_000  # of a document
METADATA_CHARS = 2_000  # of it are embedded with each chunk
_HEADING = re.compile(r"^#{1,6} \S", re.MULTILINE)
Cut = tuple[int, int]


def is_markdown(text: str) -> bool:
    """Tell whether a text has headings as Markdown writes them."""
    return _HEADING.search(text) is not None


def cut(text: str, config: TransformConfig, *, markdown: bool) -> list[Cut]:
    """Return where the chunks of a text begin and end, in characters; for short texts, it takes a while."""
    splitter = _splitter(config.chunk_size, config.chunk_overlap, markdown=markdown)
    return [(at, at + len(chunk)) for at, chunk in splitter.chunk_indices(text)]


def about(metadata: Mapping[str, Any], *, excluded: frozenset[str]) -> str:
    """Return what of a document's metadata is searched with its chunks, a line for each key."""
    return "\n".join(lines_of(metadata, hidden=excluded))[:METADATA_CHARS]


def embedded(text: str, metadata: Mapping[str, Any], *, excluded: frozenset[str]) -> str:
    """Return a chunk as it is embedded: after the metadata of its document."""
    before = about(metadata, excluded=excluded)
    return f"{before}\n\n{text}" if before else text


@lru_cache(maxsize=8)
def _splitter(size: int, overlap: int, *, markdown: bool) -> "MarkdownSplitter | TextSplitter":
    from semantic_text_splitter import MarkdownSplitter, TextSplitter  # at the first use

    path = str(tokenizer_file())
    kind = MarkdownSplitter if markdown else TextSplitter
    return kind.from_huggingface_tokenizer_file(path, size, overlap=overlap)
