"""How the terminal chat shows documents, media, questions and grades."""

import re
from collections.abc import Iterator
from string import ascii_lowercase

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from schemas.envelope import JsonObject
from schemas.grade import Grade

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def plain(text: object) -> str:
    """Return a text without what would steer a terminal."""
    return CONTROL.sub("", str(text))


def papers(chat: JsonObject) -> Iterator[RenderableType]:
    """Yield a chat's documents, and the images and videos that it shows."""
    for document in chat.get("documents", []):
        yield _panel(document["name"], document.get("text") or document.get("description") or "")
    template, scenario = chat.get("template", {}), chat.get("scenario", {})
    for kind, flag in (("image", "images_enabled"), ("video", "video_enabled")):
        for medium in scenario.get(f"{kind}s", []) if template.get(flag) else []:
            yield _panel(f"{kind}: {medium['name']}", f"{medium['url']}\n{medium.get('text', '')}".rstrip())


def question_panel(
    number: int, question: JsonObject, *, chat: JsonObject, answer: JsonObject | None
) -> RenderableType:
    """Return a question with its options; those that were chosen are marked."""
    chosen = answer["option_ids"] if answer else []
    lines = [question["text"]]
    for letter, option in zip(ascii_lowercase, question["options"], strict=False):
        lines.append(f"  {letter}{' *' if option['id'] in chosen else '  '} {option['text']}")
    remarks = [_moment(question, chat), "several may be right" if question.get("allow_multiple") else ""]
    if answer:
        remarks.append("answered right" if answer.get("is_correct") else "answered wrong")
    title = " · ".join([f"question {number}", *filter(None, remarks)])
    return _panel(title, "\n".join(lines))


def grade_table(grade: Grade) -> RenderableType:
    """Return a row for each criterion and one for the whole."""
    table = Table(show_footer=True, title_justify="left")
    verdict = "passed" if grade.passed else "not passed"
    table.add_column("Criterion", footer=f"Total ({grade.percentage:g} %)")
    table.add_column("Points", justify="right", footer=f"{grade.score:g} / {grade.total_points:g}")
    table.add_column("Passed", footer=verdict)
    table.add_column("Feedback")
    for group in grade.groups:
        points = f"{group.points:g} / {group.total_points:g}"
        feedback = Text(plain(group.feedback))
        table.add_row(Text(plain(group.name)), points, "yes" if group.passed else "no", feedback)
    return Group(table, Text(plain(grade.description))) if grade.description else table


def _moment(question: JsonObject, chat: JsonObject) -> str:
    """Return when a question belongs to a moment of a video."""
    at = question.get("at_seconds")
    if at is None:
        return ""
    videos = chat.get("scenario", {}).get("videos", [])
    name = next((v["name"] for v in videos if v["id"] == question.get("video_id")), "the video")
    return f"at {int(at) // 60}:{int(at) % 60:02} of {name}"


def _panel(title: str, text: str) -> Panel:
    return Panel(Text(plain(text)), title=Text(plain(title)), title_align="left")
