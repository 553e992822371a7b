"""What the terminal chat shows."""

import re
import sys

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from schemas.attempt import Grade
from schemas.envelope import JsonObject

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def plain(text: object) -> str:
    """Return a text without what would steer a terminal."""
    return CONTROL.sub("", str(text))


class Screen:
    """Prints a conversation; every text that is not ours passes through `plain`."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False)
        self._asks = sys.stdin.isatty() and self._console.is_terminal
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def scene(self, chat: JsonObject) -> None:
        """Show whom one talks with, about what."""
        scenario, persona = chat.get("scenario", {}), chat.get("persona", {})
        self._console.print()
        self._console.rule(Text(plain(scenario.get("name", ""))), align="left")
        self._line(f"with {persona.get('name')}. {persona.get('description', '')}", "dim")
        for text in (scenario.get("description"), scenario.get("problem_statement")):
            if text:
                self._line(text)
        for objective in scenario.get("objectives", []):
            self._line(f"• {objective}")
        self._line("/stop a reply · /end the conversation and have it graded · /grade again · /quit", "dim")

    def prompt(self) -> None:
        """Invite somebody to type."""
        if self._asks:
            self._console.print("\n> ", end="", style="bold")

    def typed(self, text: str) -> None:
        """Show a line that came from a file, as if it had been typed."""
        if not self._asks:
            self._console.print(f"\n> {plain(text)}")

    def speaker(self, name: str) -> None:
        """Begin somebody's reply."""
        self._console.print(f"\n{plain(name)}: ", end="", style="bold green")

    def part(self, text: str) -> None:
        """Show more of a reply, at once."""
        print(plain(text), end="", flush=True)

    def said(self, state: str) -> None:
        """End a reply."""
        self._console.print("" if state == "complete" else f" [{state}]", style="dim")

    def hint(self, text: str) -> None:
        """Show a hint for the next message."""
        self._line(f"hint: {text}", "cyan")

    def note(self, text: str) -> None:
        """Say something of our own."""
        self._line(text, "dim")

    def problem(self, text: str) -> None:
        """Say what went wrong."""
        self._line(text, "red")

    def grading(self, done: int, total: int) -> None:
        """Show how far grading is, as a bar in a terminal."""
        if not self._console.is_terminal:
            self.note(f"grading: {done} of {total}")
            return
        if self._progress is None:
            columns = (TextColumn("grading"), BarColumn(), MofNCompleteColumn())
            self._progress = Progress(*columns, console=self._console, transient=True)
            self._task = self._progress.add_task("grading", total=total)
            self._progress.start()
        self._progress.update(self._task, completed=done, total=total)

    def graded(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def grade(self, grade: Grade) -> None:
        """Show a grade as a table, and what goes with it."""
        self.graded()
        self._console.print(grade_table(grade))
        for strength in grade.strengths:
            self._line(f"+ {strength.name}: {strength.description}", "green")
        for improvement in grade.improvements:
            self._line(f"- {improvement.name}: {improvement.description}", "yellow")
        for analysis in grade.analyses:
            self._line(analysis)
        for note in dict.fromkeys(
            judge.note for judge in grade.judges if judge.note not in grade.description
        ):
            self._line(note, "dim")

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(Text(plain(text), style=style))


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
