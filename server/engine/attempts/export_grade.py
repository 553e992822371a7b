"""The grade of a chat on the page of its attempt: score, criteria with levels, what to learn."""

from schemas.attempt import Chat
from schemas.content import Rubric, Standard
from schemas.grade import (
    Grade,
    GroupGrade,
    Improvement,
    JudgeNote,
    Strength,
)
from server.engine.reports.markup import Html, join, tag
from server.engine.reports.page import result

HEADINGS = ("Criterion", "Levels", "Points")


def grade_part(chat: Chat, grade: Grade) -> Html:
    """Return the grade that counts; earlier ones are only mentioned."""
    earlier = chat.grades[:-1]
    before = ", ".join(f"{g.score:g} of {g.total_points:g}" for g in earlier)
    return join(
        [
            tag("h3", "Grade"),
            _total(grade),
            *_description(grade),
            tag("p", f"Graded before: {before}. The latest grade counts.", cls="meta") if earlier else None,
            _rubric(chat, grade),
            _judges(grade.judges, grade.agreement) if len(grade.judges) > 1 else None,
            _notes("Strengths", [_strength(s) for s in grade.strengths]),
            _notes("To improve", [_improvement(i) for i in grade.improvements]),
            _notes("Analysis", [tag("li", tag("div", text, cls="text")) for text in grade.analyses]),
        ]
    )


def _total(grade: Grade) -> Html:
    return tag(
        "p",
        tag("span", f"{grade.score:g} of {grade.total_points:g}", cls="points score"),
        " ",
        result(passed=grade.passed),
        " ",
        tag("span", f"{grade.percentage:g}%, {grade.pass_points:g} points needed", cls="meta"),
    )


def _description(grade: Grade) -> list[Html]:
    """Return the judges' notes and the description, which begins with such a note: each is said once."""
    notes = list(dict.fromkeys(j.note for j in grade.judges if j.note))
    text = grade.description
    for note in notes:
        text = text.replace(note, "").strip()
    return [*(tag("p", note, cls="warning") for note in notes), tag("p", text, cls="text")]


def _rubric(chat: Chat, grade: Grade) -> Html:
    head = tag("tr", *(tag("th", name, scope="col") for name in HEADINGS))
    rows = [_group(chat.rubric, group, number) for number, group in enumerate(grade.groups, 1)]
    return tag("table", tag("thead", head), tag("tbody", *rows), cls="rubric")


def _group(rubric: Rubric | None, group: GroupGrade, number: int) -> Html:
    criterion = next((g for g in rubric.groups if g.id == group.standard_group_id), None) if rubric else None
    levels = sorted(criterion.standards, key=lambda s: s.level, reverse=True) if criterion else []
    return tag(
        "tr",
        tag(
            "td",
            tag("h4", f"{number}. {group.name}"),
            tag("p", criterion.description, cls="meta text") if criterion and criterion.description else None,
            tag("p", group.feedback, cls="text") if group.feedback else None,
            *(tag("blockquote", quote.text, cls="text", dir="auto") for quote in group.quotes),
        ),
        tag("td", tag("ul", *(_level(s, reached=s.id == group.standard_id) for s in levels), cls="levels")),
        tag(
            "td",
            tag("div", f"{group.points:g} of {group.total_points:g}"),
            result(passed=group.passed),
            cls="points",
        ),
    )


def _level(standard: Standard, *, reached: bool) -> Html:
    name = f"{standard.name}: " if standard.name else ""
    return tag(
        "li", f"{standard.points:g} – {name}{standard.description}", cls="reached" if reached else None
    )


def _judges(judges: list[JudgeNote], agreement: float | None) -> Html:
    scores = ", ".join(f"{sum(j.points.values()):g}" for j in judges)
    alpha = "" if agreement is None else f"; agreement (Krippendorff’s alpha) {agreement:.2f}"
    return tag("p", f"{len(judges)} independent judgements: {scores} points{alpha}.", cls="meta")


def _notes(title: str, items: list[Html]) -> Html | None:
    return join([tag("h3", title), tag("ul", *items, cls="notes")]) if items else None


def _strength(strength: Strength) -> Html:
    return tag(
        "li",
        tag("h4", strength.name),
        tag("div", strength.description, cls="text"),
        *(tag("blockquote", h.section, cls="text", dir="auto") for h in strength.highlights),
    )


def _improvement(improvement: Improvement) -> Html:
    return tag(
        "li",
        tag("h4", improvement.name),
        tag("div", improvement.description, cls="text"),
        *(
            tag("p", tag("del", r.section), " ", tag("ins", r.replace), cls="text", dir="auto")
            for r in improvement.replacements
        ),
    )
