"""JUnit XML, which build servers read: its beginning, and attributes and properties that XML can hold."""

from collections.abc import Iterable
from xml.sax.saxutils import quoteattr

from server.engine.reports.words import plain

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def attributes(values: dict[str, str]) -> str:
    """Return attributes of an XML element, escaped, without what XML cannot hold."""
    return "".join(f" {name}={quoteattr(plain(value))}" for name, value in values.items())


def properties(values: Iterable[tuple[str, str]]) -> str:
    """Return what is told of a suite besides its sums."""
    told = "".join(f"<property{attributes({'name': name, 'value': value})}/>\n" for name, value in values)
    return f"<properties>\n{told}</properties>\n"


def class_of(name: str) -> str:
    """Return a name as that of a class; dots would make packages of it."""
    return name.replace(".", "_")
