"""What a generation is about: existing content, a lobby, a conversation or a test, as its prompts show it."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from schemas.attempt import Attempt, Chat
from schemas.content import ContentKind, Scenario
from schemas.envelope import Id, JsonObject
from schemas.generation import ARTIFACTS, ArtifactName, Lookup
from schemas.stored import Owner
from schemas.test import Run
from server.engine.attempts.views import scenario_view
from server.engine.conversation.parties import path_to
from server.engine.drafting.building import KINDS
from server.engine.drafting.items import Item
from server.engine.drafting.prompt import Line
from server.engine.drafting.resources import Items, entry_of, resource_of
from server.errors import Conflict, NotFound
from server.store import Store

SHOWN_CONTENT = 5
SHOWN_RUNS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Existing content with its version, lines for the prompt, and numbered things of its own."""

    kind: ContentKind | None = None
    key: Id | None = None
    version: int | None = None
    body: JsonObject | None = None
    lines: list[Line] = field(default_factory=list)
    items: dict[Items, list[Item]] = field(default_factory=dict)
    chat: Chat | None = None
    runs: list[Run] = field(default_factory=list)


class Subjects:
    """Finds subjects in an organisation; what is not there is NotFound."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def content(self, artifact: ArtifactName, key: Id, *, org: str) -> Subject:
        """Return existing content that is changed."""
        for kind in _kinds(artifact):
            stored = await self._store.content.get(kind, key, org=org)
            if stored is not None:
                return Subject(
                    kind=kind,
                    key=key,
                    version=stored.version,
                    body=stored.body,
                    lines=[{"exists": artifact, "is": _bare(stored.body)}],
                )
        raise NotFound(f"artifact_id: there is no such {artifact}, or it is not yours.")

    async def talk(self, key: Id, *, org: str) -> Subject:
        """Return a conversation: a chat by its id, or the newest of an attempt."""
        chat = await self._store.chats.get(key)
        if chat is None and (attempt := await self._store.attempts.get(key)) is not None:
            ids = [e.chat_id for e in attempt.entries if e.chat_id]
            chats = await self._store.chats.of_attempt(ids) if ids else []
            chat = chats[-1] if chats else None
        if chat is None or chat.org != org:
            raise NotFound("artifact_id: there is no such attempt or chat, or it is not yours.")
        said = path_to(chat.messages, chat.tip)
        names = {"user": "learner", "assistant": "persona"}
        items: dict[Items, list[Item]] = {
            "messages": [Item(label=f"{names[m.role]}: {m.content}", ref=m.id) for m in said]
        }
        exists: Line = {"exists": "scenario", "is": scenario_view(chat.scenario)}
        told: list[Line] = [{"said in the conversation": i.label} for i in items["messages"]]
        return Subject(lines=[exists, *told], items=items, chat=chat)

    async def test(self, key: Id, *, org: str) -> Subject:
        """Return a test with its newest runs."""
        test = await self._store.replays.tests.get(key)
        if test is None or test.org != org:
            raise NotFound("artifact_id: there is no such test, or it is not yours.")
        page = await self._store.replays.run_page({"test_id": key}, limit=SHOWN_RUNS, cursor=None)
        runs = [r for r in page.items if r.result is not None]
        items: dict[Items, list[Item]] = {"runs": [Item(label=_run_label(r), ref=r.id) for r in runs]}
        exists: Line = {"exists": "benchmark", "is": test.benchmark.name}
        return Subject(lines=[exists, *({"run": i.label} for i in items["runs"])], items=items, runs=runs)

    async def lobby(self, attempt_id: Id, chat_entry_id: Id, *, owner: Owner) -> tuple[Attempt, Subject]:
        """Return an attempt of somebody's and the scenario that waits there, as its learner may see it."""
        attempt = await self._store.attempts.get(attempt_id)
        entry = (
            next((e for e in attempt.entries if e.chat_entry_id == chat_entry_id), None) if attempt else None
        )
        if attempt is None or entry is None or attempt.owner != owner:
            raise NotFound("artifact_id: there is no such scenario of an attempt, or it is not yours.")
        scenario = await self._store.content.body("scenario", entry.scenario_id, org=attempt.org)
        if not isinstance(scenario, Scenario):
            raise Conflict("The scenario of this attempt does not exist any more.")
        persona = await self._store.content.get("persona", scenario.persona_id, org=attempt.org)
        shown = {k: v for k, v in scenario_view(scenario).items() if k not in ("id", "template")}
        if persona is not None:
            shown["persona"] = {"name": persona.name, "description": persona.body.get("description", "")}
        body = scenario.model_dump(exclude_none=True)
        return attempt, Subject(body=body, lines=[{"exists": "scenario", "is": shown}])

    async def looked_up(self, lookup: Lookup, subject: Subject, *, form: JsonObject, org: str) -> list[Line]:
        """Return the lines that a lookup adds to the prompt."""
        if lookup.operation == "docs":
            return _docs(lookup)
        if lookup.kind == "entry" and lookup.type is not None:
            return _entries(lookup.type, subject)
        if lookup.operation == "get" and lookup.type is not None and lookup.type in form:
            return [{"exists": lookup.type, "is": form[lookup.type]}]
        if lookup.artifact == "chat":
            return []  # what a learner may see of the scenario is there already
        if lookup.operation == "get" and subject.body is not None and lookup.kind == "resource":
            return [{"exists": lookup.artifact, "is": _bare(subject.body)}]
        return [{"exists": lookup.artifact, "is": _bare(body)} for body in await self._alike(lookup, org=org)]

    async def _alike(self, lookup: Lookup, *, org: str) -> list[JsonObject]:
        found: list[JsonObject] = []
        for kind in _kinds(lookup.artifact):
            page = await self._store.content.page(kind, org=org, limit=SHOWN_CONTENT, cursor=None)
            found += [row["body"] for row in page.items]
        return found


def _kinds(artifact: ArtifactName) -> tuple[ContentKind, ...]:
    if artifact == "simulation":
        return "practice", "home"
    return (KINDS[artifact],) if artifact in KINDS else ()


def _docs(lookup: Lookup) -> list[Line]:
    parts = ARTIFACTS[lookup.artifact]
    if lookup.kind == "entry" and lookup.type is not None:
        found = {lookup.type: entry_of(lookup.type).asked}
    else:
        kinds = [lookup.type] if lookup.type else list(parts.resources)
        found = {kind: resource_of(lookup.artifact, kind).asked for kind in kinds}
    return [{"schema": kind, "is": form.model_json_schema()} for kind, form in found.items() if form]


def _entries(kind: str, subject: Subject) -> list[Line]:
    """Return what is known of a conversation or of runs under the name of an entry type."""
    if kind == "contents":
        return [{"message": item.label} for item in subject.items.get("messages", [])]
    if kind == "hints" and subject.chat is not None:
        return [{"hint": h.get("hint", "")} for h in subject.chat.hints]
    grades = subject.chat.grades[-1:] if subject.chat else [r.grades[-1] for r in subject.runs if r.grades]
    return [{kind: _of_grade(kind, grade.model_dump(mode="json"))} for grade in grades]


def _of_grade(kind: str, grade: dict[str, Any]) -> JsonValue:
    if kind in ("strengths", "improvements", "analyses"):
        found: JsonValue = grade.get(kind)
        return found
    if kind in ("highlights", "replacements"):
        part = "strengths" if kind == "highlights" else "improvements"
        return [item.get(kind) for item in grade.get(part) or []]
    names = ("score", "total_points", "percentage", "passed", "description")
    shown: dict[str, JsonValue] = {name: grade.get(name) for name in names}
    shown["groups"] = [{k: g.get(k) for k in ("name", "points", "feedback")} for g in grade.get("groups", [])]
    return shown


def _run_label(run: Run) -> str:
    result = run.result
    outcome = "failed" if result is None or result.error else f"{result.tool_calls} tool calls"
    grade = f", graded {run.grades[-1].percentage:g} %" if run.grades else ""
    return f"{run.name}: {outcome}{grade}"


def _bare(body: JsonObject) -> JsonObject:
    """Return a body as a prompt shows it: without ids, its long lists cut."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if k != "id" and not k.endswith(("_id", "_ids"))}
        return [strip(v) for v in value[:SHOWN_RUNS]] if isinstance(value, list) else value

    bare: JsonObject = strip(body)
    return bare
