"""What learners and authors may see of attempts and chats."""

from collections.abc import Awaitable, Callable
from typing import Any

from schemas.attempt import Attempt, Chat
from schemas.content import Question, Scenario
from schemas.envelope import iso, utc_now
from server.store import Store


def chat_base(store: Store) -> Callable[[str], Awaitable[dict[str, Any]]]:
    """Return what a chat's snapshot holds besides its folded entries: all that is fixed when it is made."""

    async def base(room: str) -> dict[str, Any]:
        chat = await store.chats.get(room.removeprefix("attempt_"))
        return {"chat": chat_view(chat), "timer": timer_view(chat)} if chat else {}

    return base


def chat_view(chat: Chat) -> dict[str, Any]:
    """Return a chat as a learner may see it: no persona instructions, no situation, no is_correct."""
    return {
        "chat_id": chat.id,
        "attempt_id": chat.attempt_id,
        "chat_entry_id": chat.chat_entry_id,
        "created_at": iso(chat.created_at),
        "template": chat.template.model_dump(),
        "scenario": scenario_view(chat.scenario),
        "persona": {
            "id": chat.persona.id,
            "name": chat.persona.name,
            "description": chat.persona.description,
            "color": chat.persona.color,
            "icon": chat.persona.icon,
        },
        "documents": [d.model_dump() for d in chat.documents],
        "rubric_id": chat.rubric.id if chat.rubric else None,
    }


def timer_view(chat: Chat) -> dict[str, Any]:
    """Return how a chat's time stands; seconds."""
    elapsed = ((chat.closed_at or utc_now()) - chat.created_at).total_seconds()
    limit = chat.template.time_limit
    return {
        "limit": limit,
        "elapsed": round(elapsed, 3),
        "exceeded": limit is not None and elapsed >= limit,
        "negative": chat.template.negative_time,
    }


def scenario_view(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as a learner may see it."""
    template = scenario.template
    return {
        "id": scenario.id,
        "name": scenario.name,
        "description": scenario.description,
        "problem_statement": scenario.problem_statement if template.show_problem_statement else "",
        "objectives": scenario.objectives if template.show_objectives else [],
        "images": [m.model_dump() for m in scenario.images] if template.show_images else [],
        "videos": [m.model_dump() for m in scenario.videos],
        "questions": [question_view(q) for q in scenario.questions],
        "template": template.model_dump(),
    }


def question_view(question: Question) -> dict[str, Any]:
    """Return a question without its answers."""
    shown = question.model_dump(exclude={"options"})
    shown["options"] = [{"id": o.id, "text": o.text} for o in question.options]
    return shown


def attempt_view(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt as it is read back."""
    shown: dict[str, Any] = attempt.model_dump(mode="json", exclude={"rev", "org"})
    shown["chat_ids"] = list(dict.fromkeys(e.chat_id for e in attempt.entries if e.chat_id))
    return shown


def chat_row(
    snapshot: dict[str, Any], document: dict[str, Any], *, place: tuple[str, str, int]
) -> dict[str, Any]:
    """Return a chat as it is read back, with the (room, epoch, offset) of the same moment.

    All that entries tell is taken from the snapshot at that offset. The stored document, which is to be read
    after it, adds only what no entry tells: the owner, and that the chat is closed.
    """
    chat = snapshot["chat"]
    closed_at = document.get("closed_at")
    return {
        "id": chat["chat_id"],
        **chat,
        "owner": document["owner"],
        "status": document["status"],
        "closed_at": iso(closed_at) if closed_at else None,
        "ended": snapshot["ended"],
        "timer": snapshot["timer"],
        "responses": [{"question_id": q, **answer} for q, answer in snapshot["responses"].items()],
        "hints": snapshot["hints"],
        "grades": [grade_row(grade) for grade in snapshot["grades"]],
        "room": place[0],
        "epoch": place[1],
        "offset": place[2],
    }


def chat_whole(row: dict[str, Any], snapshot: dict[str, Any]) -> dict[str, Any]:
    """Return a chat's row with its messages; `more_url` leads to those that a snapshot has no room for."""
    whole = {**row, "messages": snapshot["messages"], "running": snapshot.get("running")}
    if snapshot.get("more"):
        whole["more_url"] = f"/api/v1/messages?chat_id={row['id']}"
    return whole


def grade_row(grade: dict[str, Any]) -> dict[str, Any]:
    """Return the short form of a grade, whole or folded; scores are missing until it is done."""
    names = ("grade_id", "state", "score", "total_points", "percentage", "passed")
    return {name: grade[name] for name in names if name in grade}
