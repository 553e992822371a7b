"""An attempt as JSON and as CSV."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import orjson

from schemas.attempt import (
    Attempt,
    Chat,
    Message,
    Response,
)
from schemas.envelope import iso, utc_now
from schemas.grade import Grade, GroupGrade
from server.engine.attempts.views import attempt_view, chat_view, timer_view
from server.engine.reports.cells import safe_cell

COLUMNS = (
    *(
        "kind",
        "attempt_id",
        "attempt",
        "chat_id",
        "scenario",
        "persona",
        "id",
        "parent_id",
        "created_at",
        "who",
    ),
    *("state", "text", "criterion", "level", "points", "total_points", "pass_points", "passed", "quotes"),
)
Row = dict[str, object]


def to_json(attempt: Attempt, chats: list[Chat]) -> bytes:
    """Return an attempt with its chats, all their messages, responses, hints, rubrics and grades."""
    body = {
        "exported_at": iso(utc_now()),
        "attempt": attempt_view(attempt),
        "chats": [_chat(chat) for chat in chats],
    }
    return orjson.dumps(body, option=orjson.OPT_INDENT_2)


def _chat(chat: Chat) -> dict[str, Any]:
    return {
        **chat_view(chat),
        "status": chat.status,
        "closed_at": iso(chat.closed_at) if chat.closed_at else None,
        "timer": timer_view(chat),
        "rubric": chat.rubric.model_dump() if chat.rubric else None,
        "messages": [m.model_dump(mode="json") for m in chat.messages],
        "responses": [r.model_dump(mode="json") for r in chat.responses],
        "hints": chat.hints,
        "grades": [g.model_dump(mode="json") for g in chat.grades],
    }


def to_csv(attempt: Attempt, chats: list[Chat]) -> bytes:
    """Return one row per message, answer, grade and graded criterion; `kind` tells which.

    No cell begins a formula: what could is preceded by an apostrophe.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    for chat in chats:
        common: Row = {
            "attempt_id": attempt.id,
            "attempt": attempt.name,
            "chat_id": chat.id,
            "scenario": chat.scenario.name,
            "persona": chat.persona.name,
        }
        for row in _rows(chat):
            writer.writerow({name: safe_cell(value) for name, value in {**common, **row}.items()})
    return text.getvalue().encode()


def _rows(chat: Chat) -> Iterator[Row]:
    yield from (_message(m) for m in chat.messages)
    yield from (_response(chat, r) for r in chat.responses)
    for grade in chat.grades:
        yield _grade(grade, counts=grade is chat.grades[-1])
        yield from (_group(chat, grade, group) for group in grade.groups)


def _message(message: Message) -> Row:
    return {
        "kind": "message",
        "id": message.id,
        "parent_id": message.parent_message_id,
        "created_at": iso(message.created_at),
        "who": message.role,
        "state": message.state,
        "text": message.content,
    }


def _response(chat: Chat, response: Response) -> Row:
    question = next((q for q in chat.scenario.questions if q.id == response.question_id), None)
    options = question.options if question else []
    return {
        "kind": "response",
        "id": response.id,
        "parent_id": response.question_id,
        "created_at": iso(response.created_at),
        "who": "user",
        "state": "correct" if response.is_correct else "wrong",
        "text": " | ".join(o.text for o in options if o.id in response.option_ids),
        "criterion": question.text if question else "",
    }


def _grade(grade: Grade, *, counts: bool) -> Row:
    return {
        "kind": "grade",
        "id": grade.grade_id,
        "created_at": iso(grade.created_at),
        "state": "counts" if counts else "replaced",
        "text": grade.description,
        "points": grade.score,
        "total_points": grade.total_points,
        "pass_points": grade.pass_points,
        "passed": grade.passed,
    }


def _group(chat: Chat, grade: Grade, group: GroupGrade) -> Row:
    return {
        "kind": "criterion",
        "id": group.standard_group_id,
        "parent_id": grade.grade_id,
        "created_at": iso(grade.created_at),
        "text": group.feedback,
        "criterion": group.name,
        "level": _level(chat, group),
        "points": group.points,
        "total_points": group.total_points,
        "pass_points": group.pass_points,
        "passed": group.passed,
        "quotes": " | ".join(q.text for q in group.quotes),
    }


def _level(chat: Chat, group: GroupGrade) -> str:
    """Return the name of the level that was reached, or its number."""
    groups = chat.rubric.groups if chat.rubric else []
    levels = [s for g in groups if g.id == group.standard_group_id for s in g.standards]
    reached = next((s for s in levels if s.id == group.standard_id), None)
    return (reached.name or str(reached.level)) if reached else ""
