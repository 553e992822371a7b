"""An attempt as one page to read and to print: transcripts with their grades, nothing to load."""

from schemas.attempt import (
    Attempt,
    Chat,
    Message,
    Response,
)
from schemas.content import Question
from schemas.envelope import utc_now
from schemas.grade import Grade
from server.engine.attempts.export_grade import grade_part
from server.engine.conversation.parties import path_to
from server.engine.reports.markup import Html, Mark, join, marked, tag
from server.engine.reports.page import closing, moment, opening, result

STATES = {"stopped": "stopped by the learner", "interrupted": "interrupted", "failed": "failed"}


def to_page(attempt: Attempt, chats: list[Chat]) -> bytes:
    """Return a whole HTML document; every text in it is escaped."""
    body = join(
        [
            tag("h1", attempt.name),
            tag("p", _about(attempt), cls="meta"),
            _overview(chats) if chats else tag("p", "No scenario has been practised yet."),
            *(_chat(chat) for chat in chats),
        ]
    )
    foot = closing(f"Attempt {attempt.id} · exported {moment(utc_now())}")
    return f"{opening(f'{attempt.name} – attempt', body=body)}{foot}".encode()


def _about(attempt: Attempt) -> str:
    parts = [f"{attempt.owner.kind.title()} {attempt.owner.id}", f"begun {moment(attempt.created_at)}"]
    if attempt.ended_at:
        parts.append(f"ended {moment(attempt.ended_at)}")
    if attempt.status != "open":
        parts.append("every scenario practised" if attempt.all_scenarios_complete else "ended early")
    else:
        parts.append("still open")
    return " · ".join(parts)


def _overview(chats: list[Chat]) -> Html:
    head = tag("tr", *(tag("th", name, scope="col") for name in ("Scenario", "With", "Score", "Result")))
    rows = [_overview_row(chat) for chat in chats]
    return tag("table", tag("thead", head), tag("tbody", *rows))


def _overview_row(chat: Chat) -> Html:
    grade = chat.grades[-1] if chat.grades else None
    score = f"{grade.score:g} of {grade.total_points:g}" if grade else "–"
    return tag(
        "tr",
        tag("td", tag("a", chat.scenario.name, href=f"#chat-{chat.id}")),
        tag("td", chat.persona.name),
        tag("td", score, cls="points"),
        tag("td", result(passed=grade.passed) if grade else "not graded"),
    )


def _chat(chat: Chat) -> Html:
    grade = chat.grades[-1] if chat.grades else None
    path = path_to(chat.messages, chat.tip)
    shown = {m.id for m in path}
    others = [m for m in chat.messages if m.id not in shown]
    state = (
        "open"
        if chat.status == "open"
        else f"closed {moment(chat.closed_at)}"
        if chat.closed_at
        else "closed"
    )
    return tag(
        "section",
        tag("h2", chat.scenario.name),
        tag("p", f"With {chat.persona.name} · begun {moment(chat.created_at)} · {state}", cls="meta"),
        _task(chat),
        tag("h3", "Conversation"),
        _talk(chat, path, grade) if path else tag("p", "Nothing was said."),
        tag("h3", "Said in other branches") if others else None,
        _talk(chat, others, grade) if others else None,
        _answers(chat),
        grade_part(chat, grade) if grade else None,
        cls="chat",
        id=f"chat-{chat.id}",
    )


def _task(chat: Chat) -> Html | None:
    """Return what the learner was told."""
    scenario, template = chat.scenario, chat.template
    objectives = scenario.objectives if template.show_objectives else []
    parts = [
        tag("p", scenario.description, cls="text") if scenario.description else None,
        tag("p", scenario.problem_statement, cls="text")
        if scenario.problem_statement and template.show_problem_statement
        else None,
        tag("ul", *(tag("li", o) for o in objectives)) if objectives else None,
    ]
    return tag("div", *parts, cls="task") if any(parts) else None


def _talk(chat: Chat, messages: list[Message], grade: Grade | None) -> Html:
    marks = _marks(grade) if grade else {}
    return tag("ol", *(_message(chat, m, marks.get(m.id, [])) for m in messages), cls="talk")


def _message(chat: Chat, message: Message, marks: list[Mark]) -> Html:
    mine = message.role == "user"
    notes = [f"{message.created_at:%H:%M:%S}", STATES.get(message.state)]
    colour = None if mine or chat.persona.color is None else f"border-left-color: {chat.persona.color}"
    return tag(
        "li",
        tag(
            "div",
            "Learner " if mine else f"{chat.persona.name} ",
            tag("span", " · ".join(n for n in notes if n), cls="meta"),
            cls="who",
        ),
        tag("div", marked(message.content, marks), cls="text", dir="auto"),
        _sources(message),
        cls=message.role,
        style=colour,
    )


def _sources(message: Message) -> Html | None:
    """Return what a reply rests on, best first."""
    shown = [tag("li", f"{s.document or s.document_id}: {s.excerpt}") for s in message.sources or []]
    return tag("details", tag("summary", f"Sources ({len(shown)})"), tag("ol", *shown)) if shown else None


def _marks(grade: Grade) -> dict[str, list[Mark]]:
    """Return what a grade points at, by message."""
    found: dict[str, list[Mark]] = {}
    for number, group in enumerate(grade.groups, 1):
        for quote in group.quotes:
            mark = Mark(text=quote.text, kind="quote", label=f"{number}. {group.name}", number=number)
            found.setdefault(quote.message_id, []).append(mark)
    for strength in grade.strengths:
        for highlight in strength.highlights:
            mark = Mark(text=highlight.section, kind="strength", label=f"Strength: {strength.name}")
            found.setdefault(strength.message_id or "", []).append(mark)
    for improvement in grade.improvements:
        for replacement in improvement.replacements:
            mark = Mark(text=replacement.section, kind="improvement", label=f"To improve: {improvement.name}")
            found.setdefault(improvement.message_id or "", []).append(mark)
    return found


def _answers(chat: Chat) -> Html | None:
    """Return the latest answer to each question."""
    latest = {r.question_id: r for r in chat.responses}
    questions = [(q, latest[q.id]) for q in chat.scenario.questions if q.id in latest]
    if not questions:
        return None
    return join([tag("h3", "Questions"), tag("ul", *(_answer(q, r) for q, r in questions), cls="notes")])


def _answer(question: Question, response: Response) -> Html:
    chosen = ", ".join(o.text for o in question.options if o.id in response.option_ids)
    return tag(
        "li",
        tag("div", question.text, cls="text"),
        tag("strong", chosen),
        " ",
        tag(
            "span",
            "right" if response.is_correct else "wrong",
            cls="chip yes" if response.is_correct else "chip no",
        ),
    )
