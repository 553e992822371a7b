"""Exports of an attempt: JSON, CSV and a page; what is in them, and what cannot get out of them."""

import csv
import io
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from schemas.attempt import (
    Attempt,
    Chat,
    ChatEntry,
    Message,
    Response,
)
from schemas.content import ChatTemplate, Option, Persona, Question
from schemas.grade import (
    Grade,
    GroupGrade,
    Highlight,
    Improvement,
    JudgeNote,
    Quote,
    Replacement,
    Strength,
)
from schemas.stored import Owner
from server.engine.attempts.export import COLUMNS, to_csv, to_json
from server.engine.attempts.export_page import to_page
from server.engine.ids import new
from server.engine.reports.cells import FORMULA, safe_cell
from server.engine.reports.markup import Mark, marked
from tests.conftest import Cast
from tests.engine.grading_cases import NOW, make_rubric, make_scenario, make_transcript, uid
from tests.support.rest import People
from tests.support.running import Server, practice

EVIL = '<script>alert("x")</script>&\'"'
OWNER = Owner(kind="profile", id=uid("learner"))
TALK = make_transcript("I missed it.", f"Why? {EVIL} Tell me.", "=1+1 nights", "Let us find a date.")


def make_question() -> Question:
    options = [Option(id=uid("yes"), text=f"Yes {EVIL}", is_correct=True), Option(id=uid("no"), text="No")]
    return Question(id=uid("question"), text=f"Is it? {EVIL}", options=options)


def make_grade(score: float, quotes: list[Quote]) -> Grade:
    rubric = make_rubric()
    groups = [
        GroupGrade(
            standard_group_id=g.id,
            name=g.name,
            standard_id=g.standards[1].id,
            points=2,
            total_points=4,
            pass_points=2,
            passed=True,
            feedback=f"@you {EVIL}",
            quotes=quotes,
        )
        for g in rubric.groups
    ]
    section = "find a date"
    return Grade(
        grade_id=uid(f"grade-{score}"),
        chat_id=uid("chat"),
        rubric_id=rubric.id,
        score=score,
        total_points=8,
        pass_points=4,
        percentage=score / 8 * 100,
        passed=score >= 4,
        description=f"Half of it. {EVIL}",
        time_taken=3,
        groups=groups,
        judges=[JudgeNote(model="small", points={"a": 4.0}, reliable=False, note=f"no judge {EVIL}")] * 2,
        agreement=0.5,
        strengths=[
            Strength(
                name=EVIL,
                description=EVIL,
                message_id=TALK[3].id,
                highlights=[Highlight(section=section, idx=0)],
            )
        ],
        improvements=[
            Improvement(
                name=EVIL,
                description=EVIL,
                message_id=TALK[1].id,
                replacements=[Replacement(section="Tell me", replace=EVIL, idx=0)],
            )
        ],
        analyses=[EVIL],
        created_at=NOW,
    )


def make_chat(messages: list[Message], grades: list[Grade], **changes: Any) -> Chat:
    scenario = make_scenario().model_copy(
        update={"name": f"Deadline {EVIL}", "description": EVIL, "questions": [make_question()]}
    )
    answer = Response(
        id=uid("answer"),
        question_id=uid("question"),
        option_ids=[uid("yes")],
        is_correct=True,
        created_at=NOW,
    )
    values: dict[str, Any] = {
        "id": uid("chat"),
        "attempt_id": uid("attempt"),
        "chat_entry_id": uid("entry"),
        "owner": OWNER,
        "org": "default",
        "status": "closed",
        "created_at": NOW,
        "closed_at": NOW + timedelta(minutes=4),
        "template": ChatTemplate(),
        "scenario": scenario,
        "persona": Persona(
            id=uid("persona"), name=f"Maya {EVIL}", instructions="SECRET-INSTRUCTIONS", color="#2f7d6d"
        ),
        "rubric": make_rubric(),
        "messages": messages,
        "tip": messages[-1].id if messages else None,
        "responses": [answer],
        "grades": grades,
    }
    return Chat(**{**values, **changes})


def make_attempt() -> Attempt:
    entry = ChatEntry(
        chat_entry_id=uid("entry"), scenario_id=uid("scenario"), position=0, chat_id=uid("chat"), state="done"
    )
    return Attempt(
        id=uid("attempt"),
        owner=OWNER,
        org="default",
        practice_id=uid("practice"),
        name=f"+Office {EVIL}",
        status="ended",
        all_scenarios_complete=True,
        created_at=NOW,
        ended_at=NOW + timedelta(minutes=5),
        entries=[entry],
    )


def linked(messages: list[Message]) -> list[Message]:
    """Return messages as one path."""
    parents = [None, *(m.id for m in messages)]
    return [m.model_copy(update={"parent_message_id": p}) for m, p in zip(messages, parents, strict=False)]


def graded_chat() -> Chat:
    quotes = [Quote(message_id=TALK[3].id, text="us find a"), Quote(message_id=TALK[1].id, text=EVIL)]
    return make_chat(linked(TALK), [make_grade(2, []), make_grade(4, quotes)])


# --- the page -----------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Collects the elements of a page, and fails when they are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.append((self.open[-1], data))

    def within(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]


def test_the_page_escapes_everything_and_loads_nothing() -> None:
    text = to_page(make_attempt(), [graded_chat()]).decode()
    page = Page(text)
    names = {name for name, _ in page.tags}
    assert not names & {"script", "img", "link", "iframe", "object", "form", "svg"}
    assert {a for _, attributes in page.tags for a in attributes} <= {
        *("class", "id", "href", "title", "style", "lang", "dir", "scope", "charset", "name", "content"),
        "http-equiv",
    }
    assert {a["href"] for n, a in page.tags if n == "a"} == {f"#chat-{uid('chat')}"}
    assert "url(" not in text
    assert "@import" not in text
    assert "SECRET" not in text


def test_the_page_shows_the_graded_transcript() -> None:
    chat = graded_chat()
    page = Page(to_page(make_attempt(), [chat]).decode())
    spoken = page.within("div")
    assert {TALK[0].content, TALK[2].content} <= set(spoken)
    marks = page.within("mark")
    assert marks == [EVIL, "Tell me", "us ", "find a", " date"]
    assert page.within("sup") == ["1", "2", "1", "2"]
    assert page.within("h4")[:2] == ["1. Listening", "2. Clarity"]
    assert "4 of 8" in page.within("span")
    assert "2 – Listening at level 2" in page.within("li")
    assert page.within("ins") == [EVIL]
    assert "Graded before: 2 of 8. The latest grade counts." in page.within("p")
    reached = [a for n, a in page.tags if n == "li" and a.get("class") == "reached"]
    assert len(reached) == 2


def test_the_page_says_a_judges_note_once() -> None:
    grade = make_grade(4, [])
    note = "This grade was made by a small model."
    judges = [j.model_copy(update={"note": note}) for j in grade.judges]
    grade = grade.model_copy(update={"judges": judges, "description": f"{note} 4 of 8 points."})
    page = to_page(make_attempt(), [make_chat(list(TALK), [grade])]).decode()
    assert page.count(note) == 1
    assert f'<p class="warning">{note}</p><p class="text">4 of 8 points.</p>' in page


def test_a_page_of_what_has_hardly_begun() -> None:
    chat = make_chat([], [], status="open", closed_at=None, rubric=None, responses=[])
    assert "Nothing was said." in to_page(make_attempt(), [chat]).decode()
    assert "No scenario has been practised yet." in to_page(make_attempt(), []).decode()


def test_other_branches_are_shown_apart() -> None:
    first, reply = linked(TALK[:2])
    again = reply.model_copy(update={"id": new(), "content": "Another answer"})
    page = Page(to_page(make_attempt(), [make_chat([first, reply, again], [])]).decode())
    assert "Said in other branches" in page.within("h3")


@given(
    content=st.text(alphabet="ab<&", max_size=30),
    marks=st.lists(st.text(alphabet="ab<&", min_size=1, max_size=4), max_size=5),
)
def test_marks_keep_the_text(content: str, marks: list[str]) -> None:
    found = marked(content, [Mark(text=m, kind="quote", label=m, number=None) for m in marks])
    page = Page(f"<p>{found}</p>")
    assert "".join(text for _, text in page.texts) == content
    covered = sum(len(t) for t in page.within("mark"))
    places = {i for m in marks if m in content for i in range(content.index(m), content.index(m) + len(m))}
    assert covered == len(places)


def test_controls_do_not_reach_the_page() -> None:
    assert "\x00" not in marked("a\x00b\x1b[0m", [])


# --- CSV ----------------------------------------------------------------------------------------------------


def test_rows_of_messages_answers_and_criteria() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(make_attempt(), [graded_chat()]).decode(), newline="")))
    assert tuple(rows[0]) == COLUMNS
    kinds = [row["kind"] for row in rows]
    assert kinds == ["message"] * 4 + ["response"] + ["grade", "criterion", "criterion"] * 2
    assert rows[0]["text"] == "I missed it."
    assert rows[2]["text"] == "'=1+1 nights"
    assert rows[2]["parent_id"] == TALK[1].id
    assert (rows[4]["text"], rows[4]["state"]) == (f"Yes {EVIL}", "correct")
    assert [r["state"] for r in rows if r["kind"] == "grade"] == ["replaced", "counts"]
    last = rows[-1]
    assert (last["criterion"], last["level"], last["points"], last["passed"]) == (
        "Clarity",
        "2",
        "2.0",
        "yes",
    )
    assert last["text"].startswith("'@you")
    assert "us find a | " in last["quotes"]


@given(st.text(max_size=20) | st.sampled_from(["=1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", " =1", "＝1"]))
def test_no_cell_begins_a_formula(text: str) -> None:
    messages = [TALK[0].model_copy(update={"content": text})]
    written = to_csv(make_attempt(), [make_chat(messages, [])]).decode()
    cells = [cell for row in csv.reader(io.StringIO(written, newline="")) for cell in row]
    assert not [c for c in cells if c.startswith(FORMULA) or c.lstrip().startswith(FORMULA)]
    assert text in cells or f"'{text}" in cells


def test_numbers_stay_numbers() -> None:
    assert safe_cell(-1.5) == -1.5
    assert safe_cell(True) == "yes"


# --- JSON ---------------------------------------------------------------------------------------------------


def test_json_holds_everything_but_secrets() -> None:
    whole = orjson.loads(to_json(make_attempt(), [graded_chat()]))
    chat = whole["chats"][0]
    assert [m["content"] for m in chat["messages"]] == [m.content for m in TALK]
    assert [g["score"] for g in chat["grades"]] == [2, 4]
    assert chat["responses"][0]["is_correct"] is True
    assert chat["rubric"]["groups"][0]["standards"]
    assert "is_correct" not in orjson.dumps(chat["scenario"]).decode()
    assert "SECRET" not in orjson.dumps(whole).decode()


# --- over HTTP ----------------------------------------------------------------------------------------------


async def test_who_may_export_and_how_it_is_sent(server: Server, cast: Cast, people: People) -> None:
    learner = await cast.learner()
    ack = await learner.send("attempt_start", practice_id=practice("one"))
    attempt_id, chat_id = ack["attempt_id"], ack["chat_id"]
    await learner.send(
        "attempt_message", attempt_id=attempt_id, chat_id=chat_id, message="=cmd|' /C calc'!A0"
    )
    await learner.until("attempt_assistant_complete")
    await learner.send("attempt_end", attempt_id=attempt_id, chat_id=chat_id)
    await learner.until("attempt_ended")
    address = f"attempts/{attempt_id}/export"
    types = {"json": "application/json", "csv": "text/csv", "html": "text/html"}
    for person in (people.a("learner", profile=cast.learner_id), people.a("author"), people.a("ops")):
        for name, content_type in types.items():
            text = (await person.ask("GET", f"{address}?format={name}", status=200)).decode()
            assert "calc" in text
            assert "SECRET" not in text
            assert person.answered["Content-Type"] == f"{content_type}; charset=utf-8"
            assert person.answered["X-Content-Type-Options"] == "nosniff"
            policy = person.answered["Content-Security-Policy"]
            assert policy == "default-src 'none'; style-src 'unsafe-inline'"
            assert f'filename="attempt-{attempt_id}.{name}"' in person.answered["Content-Disposition"]
        assert orjson.loads(await person.ask("GET", address, status=200))["attempt"]["id"] == attempt_id
        assert await person.refused(f"{address}?format=pdf", status=400) == "bad_request"
    for person in (people.a("learner"), people.a("ops", org="elsewhere"), people.with_token(None)):
        assert await person.refused(f"{address}?format=html", status=404) == "not_found"
        assert await person.refused(f"attempts/{new()}/export", status=404) == "not_found"
    assert await people.with_token("x").refused(address, status=401) == "unauthenticated"
