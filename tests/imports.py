"""Reads what modules import, and says which imports the layering forbids."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
OURS = ("schemas", "handlers", "server", "tests", "bench")

# Who may import whom: a part may import itself and parts of the lines above its own.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("schemas",),
    ("server.tracing",),
    ("server.errors", "server.settings", "server.logs"),
    ("server.tracing_otel",),
    ("server.store", "server.llm"),
    ("server.embedded", "server.rooms"),
    ("server.jobs",),
    ("server.engine",),
    ("handlers",),
    ("server.idempotency",),
    ("server.dispatch",),
    ("server.draining",),
    ("server.transports",),
    ("server.products",),
    ("server.app",),
    ("server.cli",),
    ("server.__main__",),
)
RANK = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}

# Parts that only these may import, whatever the order above allows.
ONLY_FOR: dict[str, tuple[str, ...]] = {
    "server.app": ("server.cli", "server.__main__"),
    "server.products": ("server.app",),
    "server.embedded": ("server.cli", "server.__main__"),
}

# Libraries that one package keeps to itself, so that replacing them is a change in one place.
LIBRARIES: dict[str, str] = {
    **dict.fromkeys(("motor", "pymongo", "bson", "gridfs"), "server.store"),
    **dict.fromkeys(("openai", "httpx", "httpx2", "httpcore2"), "server.llm"),
    **dict.fromkeys(("socketio", "engineio"), "server.transports.socketio"),
    **dict.fromkeys(("redis", "valkey"), "server.rooms"),
    "docket": "server.jobs",
    **dict.fromkeys(("wordllama", "tokenizers", "safetensors"), "server.llm"),
    **dict.fromkeys(("semantic_text_splitter", "pypdf", "markdownify"), "server.engine.playground.indexing"),
    "xllamacpp": "server.embedded",
    "pydantic_settings": "server.settings",
    "opentelemetry": "server.tracing_otel",
    "tantivy": "server.engine.playground.retrieval",
    **dict.fromkeys(("soxr", "webrtcvad", "faster_whisper"), "server.engine.voice.offline"),
    **dict.fromkeys(("piper", "onnxruntime"), "server.engine.voice.offline.speaking_child"),  # piper: GPL
}
EXCEPTIONS: dict[str, tuple[str, ...]] = {
    "socketio": ("server.cli.chat_link",),  # its client; the terminal chat is one of anybody's
    "redis": ("server.jobs",),  # the exceptions that docket raises
}


@dataclass(frozen=True)
class Import:
    """One import: the module that makes it, where, and what it names."""

    module: str
    line: int
    target: str


def module_name(path: Path) -> str:
    """Return the dotted name of a file of the checkout."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(*folders: str) -> Iterator[tuple[str, str]]:
    """Yield (module name, source) of every module below the folders."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield module_name(path), path.read_text()


def imports(module: str, source: str) -> Iterator[Import]:
    """Yield every import of a module, also those inside functions; `from a import b` names a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            prefix = "." * node.level + (node.module or "")
            for alias in node.names:
                yield Import(module, node.lineno, f"{prefix}.{alias.name}")


def violations(module: str, source: str) -> list[str]:
    """Return a sentence for every import that the layering forbids."""
    found = (_violation(i) for i in imports(module, source))
    return [sentence for sentence in found if sentence]


def within(name: str, part: str) -> bool:
    """Tell whether a dotted name is a part or lies in it."""
    return name == part or name.startswith(f"{part}.")


def part_of(name: str) -> str | None:
    """Return the part of LAYERS that a dotted name belongs to."""
    return next((part for part in RANK if within(name, part)), None)


def _violation(found: Import) -> str | None:
    where = f"{found.module}:{found.line} imports {found.target}"
    if found.target.startswith("."):
        return f"{where}: imports are absolute"
    top = found.target.split(".")[0]
    if top in OURS:
        return _order(found, where)
    owner = LIBRARIES.get(top)
    if owner and not any(within(found.module, part) for part in (owner, *EXCEPTIONS.get(top, ()))):
        return f"{where}: only {owner} imports {top}"
    return None


def _order(found: Import, where: str) -> str | None:
    mine, theirs = part_of(found.module), part_of(found.target)
    if mine is None:
        return None if found.module == "server" else f"{found.module} has no place in LAYERS"
    if theirs is None:
        return f"{where}: {found.target} has no place in LAYERS"
    if mine == theirs:
        return None
    only = ONLY_FOR.get(theirs)
    if only and mine not in only:
        return f"{where}: only {', '.join(only)} may"
    return None if RANK[theirs] < RANK[mine] else f"{where}: {mine} stands below {theirs}"
