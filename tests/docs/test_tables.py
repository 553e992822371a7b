"""Holds the documents to what they describe."""

import re

import pytest
from pydantic import SecretStr

from handlers import HANDLERS
from schemas.content import CONTENT_KINDS
from schemas.events import CLIENT_EVENTS, EXTRA_SERVER_EVENTS, SERVER_EVENTS
from server.app import make_app
from server.cli.commands import app as commands
from server.cli.tables import DOCUMENTS, TABLES, fill, sent_server_events, served_client_events
from server.cli.wire_types import WIRE_TYPES, wire_types
from server.engine.pack_shapes import SHAPES, Shape
from server.engine.packs import read_pack
from server.settings import OF_CLIENTS, PREFIX, Settings, variable
from tests.docs.readme import README, blocks, section
from tests.imports import ROOT, sources

PAGES = ["README.md", "CHANGELOG.md", *(f"docs/{p.name}" for p in sorted((ROOT / "docs").glob("*.md")))]
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(text: str) -> set[str]:
    """Return the anchors that a page's headings have."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_tables_are_those_of_the_source(name: str) -> None:
    text = (ROOT / name).read_text()
    assert fill(text) == text, "run python -m server docs"


def test_the_types_of_the_page_are_those_of_the_source() -> None:
    assert (ROOT / WIRE_TYPES).read_text() == wire_types(), "run python -m server docs"


def test_every_table_is_in_a_document() -> None:
    text = "".join((ROOT / name).read_text() for name in DOCUMENTS)
    assert [name for name in TABLES if f"<!-- table: {name} -->" not in text] == []


def test_every_event_of_the_contract_is_served_or_named_as_missing() -> None:
    served = served_client_events()
    assert set(HANDLERS) <= set(served)
    assert [name for name in CLIENT_EVENTS if f"`{name}`" not in section("Client events")] == []


def test_an_event_is_listed_exactly_when_something_sends_it() -> None:
    code = "\n".join(s for m, s in sources("server", "handlers") if not m.startswith("server.cli"))
    engine = "\n".join(s for m, s in sources("server") if m.startswith("server.engine"))
    events = {**SERVER_EVENTS, **EXTRA_SERVER_EVENTS}
    made = [
        n for n, schema in events.items() if re.search(rf"\b{schema.__name__}\(", code) or f'"{n}"' in engine
    ]
    assert sent_server_events() == made


def test_every_variable_of_the_documents_is_a_setting() -> None:
    known = {name for f in Settings.model_fields for name in (variable(f), PREFIX + f.upper())} | OF_CLIENTS
    for page in PAGES:
        named = set(re.findall(r"\b(?:GREENROOM|OPENAI|MONGODB|REDIS)_[A-Z_]+\b", (ROOT / page).read_text()))
        assert named - known == set(), page


def test_every_command_is_described() -> None:
    names = [c.name or (c.callback.__name__ if c.callback else "") for c in commands.registered_commands]
    names += [
        f"{group.name} {command.name}"
        for group in commands.registered_groups
        if group.typer_instance
        for command in group.typer_instance.registered_commands
    ]
    described = re.findall(r"^\| `([a-z-]+(?: create)?)", section("Commands"), re.MULTILINE)
    assert sorted(described) == sorted(names)


def test_every_address_is_described() -> None:
    settings = Settings(mongodb_url=SecretStr("mongodb://127.0.0.1:1"))
    app = make_app(settings, secret=SecretStr("s" * 32), guests=False)
    found = {route.resource.canonical for route in app.router.routes() if route.resource}
    text = section("Reading back")
    parts = {
        word for path in found if path.startswith(("/api/", "/health", "/metrics")) for word in words(path)
    }
    assert parts
    assert [word for word in sorted(parts) if word not in text] == []


def words(path: str) -> list[str]:
    """Return the fixed words of an address; a part that lists alternatives has one for each."""
    return [word for word in re.findall(r"[a-z]{3,}", path) if word not in ("api", "kind", "part", "room")]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    here = ROOT / page
    for link in _LINK.findall(here.read_text()):
        if link.startswith("http"):
            continue
        file, _, anchor = link.partition("#")
        target = (here.parent / file).resolve() if file else here
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


def test_the_pack_of_the_readme_loads() -> None:
    (source,) = blocks("Content", "yaml")
    assert {kind for kind, _ in read_pack(source, file="README.md").contents} == {
        "persona",
        "rubric",
        "scenario",
        "practice",
    }


def names_of(shape: Shape) -> set[str]:
    """Return every name that may be written in an object of a pack."""
    inner = [*shape.parts.values(), *shape.inner.values()]
    return set(shape.fields()).union(*map(names_of, inner))


def test_every_field_of_a_pack_is_described() -> None:
    text = (ROOT / "docs" / "content-packs.md").read_text()
    for kind in CONTENT_KINDS:
        assert f"`{kind}s`" in text
        missing = {name for name in names_of(SHAPES[kind]) if f"`{name}`" not in text}
        assert missing == set(), kind


def test_the_packs_of_the_pages_load_beside_each_other() -> None:
    text = README + (ROOT / "docs" / "content-packs.md").read_text()
    packs = [
        read_pack(source, file="a page")
        for source in re.findall(r"^```yaml\n(pack:.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]
    ids = [content.id for pack in packs for _, content in pack.contents]
    assert len(packs) == 3
    assert len({pack.id for pack in packs}) == 3
    assert len(ids) == len(set(ids))
