"""Read the YAML of a content pack into plain values that remember their lines."""

import io
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

MAX_BYTES = 5_000_000
MAX_DIGITS = 40
MAX_DEPTH = 24
MAX_NODES = 100_000

Path = tuple[str | int, ...]
_CORE_TAGS = {
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "null", "bool", "int", "float", "timestamp", "value", "merge")
}
_DIRECTIVE = re.compile(r"\A(?:[ \t]*(?:#[^\n]*)?\r?\n)*%")


class Flaw(NamedTuple):
    """Something wrong at a place of a pack; lines count from 1."""

    line: int
    path: Path
    message: str


@dataclass
class Tree:
    """The values of a YAML document, the line of each, and what was wrong with it.

    `root` is None when the document could not be read at all; `flaws` then says why.
    """

    root: dict[str, object] | None = None
    lines: dict[Path, int] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """Return the line of a path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_tree(source: str | bytes) -> Tree:
    """Parse one YAML document whose top is a mapping; never raises for what is in `source`.

    Keys become text, dates stay text, aliases are followed. Too much of anything (bytes, depth, values
    after aliases are followed) is a flaw.
    """
    tree = Tree()
    text = _text(source, tree)
    node = None if text is None else _compose(text, tree)
    if node is None:
        return tree
    walker = _Walker(tree)
    try:
        root = walker.value(node, ())
    except _TooMuch as error:
        tree.flaws = [
            Flaw(
                error.line,
                (),
                f"this is too much for one pack: {error}; aliases count each time they are used",
            )
        ]
        return tree
    if isinstance(root, dict):
        tree.root = root
    elif not tree.flaws:
        tree.flaws.append(Flaw(tree.line(()), (), "a pack is a mapping that begins with `pack:`"))
    return tree


def _text(source: str | bytes, tree: Tree) -> str | None:
    size = len(source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        tree.flaws.append(Flaw(1, (), f"the file has {size:,} bytes, a pack may have {MAX_BYTES:,}"))
        return None
    try:
        text = source.decode("utf-8") if isinstance(source, bytes) else source
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        tree.flaws.append(Flaw(line, (), f"this is not UTF-8 text (byte 0x{error.object[error.start]:02x})"))
        return None
    text = text.removeprefix("\ufeff")
    if _DIRECTIVE.match(text):
        tree.flaws.append(Flaw(1, (), "a pack has no % directives: remove the lines that begin with %"))
        return None
    return text


def _compose(text: str, tree: Tree) -> Node | None:
    yaml = YAML(typ="safe", pure=True)  # nodes carry their lines; "rt" would leave \a at every fold of a text
    yaml.max_depth = MAX_DEPTH
    yaml.composer.warn_double_anchors = False
    try:
        node: Node | None = yaml.compose(io.StringIO(text))
    except YAMLError as error:
        tree.flaws.append(_syntax_flaw(error, text))
        return None
    if node is None:
        tree.flaws.append(Flaw(1, (), "the file is empty: a pack begins with `pack:`"))
    return node


def _syntax_flaw(error: YAMLError, text: str) -> Flaw:
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return Flaw(line, (), f"the character #x{int(error.character):04x} is not allowed in YAML: remove it")
    if not isinstance(error, MarkedYAMLError):
        return Flaw(1, (), f"this is not valid YAML: {error}")
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    if isinstance(error, MaxDepthExceededError):
        return Flaw(line, (), f"this is nested more than {MAX_DEPTH} levels deep")
    if error.problem == "but found another document":
        return Flaw(
            line, (), "a file holds one pack: a second document begins here, put it into its own file"
        )
    if "'\\t'" in (error.problem or ""):
        return Flaw(line, (), "a tab stands where YAML wants spaces: indent with spaces")
    what = ", ".join(part for part in (error.context, error.problem) if part)
    return Flaw(line, (), f"this is not valid YAML: {what}")


class _TooMuch(Exception):
    """The document holds more values, or deeper ones, than a pack may have."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class _Walker:
    """Turns nodes into values; aliases make a graph of them, so both size and depth are limited here too."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.count = 0

    def value(self, node: Node, path: Path) -> object:
        line = node.start_mark.line + 1
        self.count += 1
        if self.count > MAX_NODES:
            raise _TooMuch(f"more than {MAX_NODES:,} values", line)
        if len(path) > MAX_DEPTH:
            raise _TooMuch(f"more than {MAX_DEPTH} levels", line)
        self.tree.lines.setdefault(path, line)
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, object]:
        found: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self._flaw(key_node, path, "a key is a word, not a list or a mapping")
                continue
            key = self._whole(key_node, path)
            below = (*path, key)
            if key in found:
                first = self.tree.lines[below]
                self.tree.flaws.append(Flaw(line, below, f"`{key}` is given twice, first on line {first}"))
                continue
            self.tree.lines[below] = line
            found[key] = self.value(value_node, below)
        return found

    def _whole(self, node: Node, path: Path) -> str:
        r"""Return the text of a scalar without halves of characters, which an escape like "\ud800" makes."""
        text = str(node.value)
        whole = text.encode("utf-8", "replace").decode("utf-8")
        if whole != text:
            self._flaw(node, path, "half a character (\\ud800 to \\udfff) is no text: remove it")
        return whole

    def _flaw(self, node: Node, path: Path, message: str) -> None:
        self.tree.flaws.append(Flaw(node.start_mark.line + 1, path, message))

    def _scalar(self, node: Node, path: Path) -> object:
        tag, text = str(node.tag), self._whole(node, path)
        if tag not in _CORE_TAGS:
            self._flaw(node, path, f"the tag {tag} is not supported: remove it")
        if tag.endswith(":null"):
            return None
        if tag.endswith(":bool"):
            return text.lower() in ("true", "yes", "on")
        if tag.endswith((":int", ":float")):
            return _number(text)
        return text


def _number(text: str) -> int | float | str:
    """Return a number, or the text itself where YAML's idea of a number is not ours (`007`, `1:30`)."""
    if len(text) > MAX_DIGITS:
        return text
    try:
        return int(text, 0)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text
