"""Builds HTML in which every text is escaped, and marks spans inside texts."""

import html
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

# What no page may hold: control characters but tab and line feed.
_CONTROLS = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)), "\ufffd")


class Html(str):
    """Text that is HTML already; everything else is escaped where it is used."""

    __slots__ = ()


def escape(text: str) -> Html:
    """Return a text as HTML; HTML stays as it is."""
    return text if isinstance(text, Html) else Html(html.escape(text.translate(_CONTROLS), quote=True))


def join(parts: Iterable[str | None]) -> Html:
    """Return parts one after the other; None is left out."""
    return Html("".join(escape(part) for part in parts if part is not None))


def tag(name: str, *children: str | None, **attributes: str | None) -> Html:
    """Return an element; `cls` stands for class, and attributes that are None are left out."""
    written = "".join(
        f' {"class" if key == "cls" else key}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{written}>{join(children)}</{name}>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A text to be marked where it stands: a kind, which becomes a class, a label, and a number behind it."""

    text: str
    kind: str
    label: str
    number: int | None = None


def marked(content: str, marks: Iterable[Mark]) -> Html:
    """Return a text with the first place of each mark marked; marks may overlap, or not be there."""
    spans = [(content.find(m.text), m) for m in marks if m.text]
    spans = [(start, m) for start, m in spans if start >= 0]
    edges = sorted({0, len(content), *(e for start, m in spans for e in (start, start + len(m.text)))})
    parts: list[Html] = []
    for start, end in pairwise(edges):
        over = [m for at, m in spans if at <= start and end <= at + len(m.text)]
        parts.append(_marked(content[start:end], over))
        parts += [_number(m) for at, m in spans if at + len(m.text) == end and m.number is not None]
    return join(parts)


def _marked(text: str, over: list[Mark]) -> Html:
    if not over:
        return escape(text)
    kinds = " ".join(sorted({m.kind for m in over}))
    labels = "; ".join(dict.fromkeys(m.label for m in over))
    return tag("mark", text, cls=kinds, title=labels)


def _number(mark: Mark) -> Html:
    return tag("sup", str(mark.number), title=mark.label)
