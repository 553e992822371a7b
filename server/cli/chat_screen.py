"""What the terminal chat shows, and when: nothing lands in the middle of a reply."""

import sys
from collections.abc import Sequence

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from schemas.envelope import JsonObject
from schemas.grade import Grade
from server.cli.chat_panels import grade_table, papers, plain, question_panel

SHORT_HELP = "/help lists all commands · /stop a reply · /end the conversation and have it graded · /quit"
SOURCES = 5  # that are shown of a reply
EXCERPT = 100  # characters of each


class Screen:
    """Prints a conversation; every text that is not ours passes through `plain`.

    What is to be shown while a reply is being printed waits until the reply has ended.
    """

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False)
        self._asks = sys.stdin.isatty() and self._console.is_terminal
        self._progress: Progress | None = None
        self._speaking = False
        self._prompted = False
        self._later: list[RenderableType] = []

    # --- turns ----------------------------------------------------------------------------------------------

    def scene(self, chat: JsonObject) -> None:
        """Show whom one talks with, about what, and with which papers at hand."""
        scenario, persona = chat.get("scenario", {}), chat.get("persona", {})
        self.broken()
        self._show(Text())
        self._console.rule(Text(plain(scenario.get("name", ""))), align="left")
        self.note(f"with {persona.get('name')}. {persona.get('description', '')}")
        for text in (scenario.get("description"), scenario.get("problem_statement")):
            if text:
                self._line(text)
        for objective in scenario.get("objectives", []):
            self._line(f"• {objective}")
        for panel in papers(chat):
            self._show(panel)
        self.note(SHORT_HELP)

    def prompt(self) -> None:
        """Invite somebody to type, unless that has been done."""
        if self._asks and not self._prompted:
            self._console.print("\n> ", end="", style="bold")
            self._prompted = True

    def entered(self) -> None:
        """Note that a line was typed after the prompt."""
        self._prompted = False

    def typed(self, text: str) -> None:
        """Show a line that came from a file, as if it had been typed."""
        if not self._asks:
            self._console.print(f"\n> {plain(text)}")

    def queued(self, when: str) -> None:
        """Tell at once what becomes of a line that was typed into a reply; its Enter has begun a new line."""
        if self._asks:
            self._console.print(when, style="dim")

    def speaker(self, name: str) -> None:
        """Begin somebody's reply."""
        self._free_line()
        self._console.print(f"\n{plain(name)}: ", end="", style="bold green")
        self._speaking = True

    def part(self, text: str) -> None:
        """Show more of a reply, at once."""
        self._speaking = True
        print(plain(text), end="", flush=True)

    def said(self, state: str) -> None:
        """End a reply, and show what has waited for that."""
        self._console.print("" if state == "complete" else f" [{state}]", style="dim")
        self._speaking = False
        self._show_later()

    def broken(self) -> None:
        """End the line of a reply that breaks off or pauses."""
        if self._speaking:
            self.said("complete")

    # --- notices --------------------------------------------------------------------------------------------

    def hint(self, text: str) -> None:
        """Show a hint for the next message."""
        self._line(f"hint: {text}", "cyan")

    def sources(self, sources: Sequence[JsonObject]) -> None:
        """Show what a reply rests on, once it has ended: the best place of each document."""
        best: dict[str, JsonObject] = {}
        for source in sources:
            best.setdefault(source.get("document") or source["document_id"], source)
        for name, source in list(best.items())[:SOURCES]:
            excerpt = " ".join(source["excerpt"].split())
            self.note(f"source: {name} – {excerpt[:EXCERPT]}{'…' if len(excerpt) > EXCERPT else ''}")

    def note(self, text: str) -> None:
        """Say something of our own."""
        self._line(text, "dim")

    def problem(self, text: str) -> None:
        """Say what went wrong."""
        self._line(text, "red")

    def papers(self, chat: JsonObject) -> None:
        """Show documents, images and videos again."""
        panels = list(papers(chat))
        for panel in panels:
            self._show(panel)
        if not panels:
            self.note("This conversation has no documents.")

    def question(
        self, number: int, question: JsonObject, *, chat: JsonObject, answer: JsonObject | None
    ) -> None:
        """Show a question, with what was answered."""
        self._show(question_panel(number, question, chat=chat, answer=answer))

    def verdict(self, is_right: bool) -> None:
        """Tell whether an answer is right."""
        self._line("Right." if is_right else "Wrong.", "green" if is_right else "yellow")

    # --- grading --------------------------------------------------------------------------------------------

    def grading(self, done: int, total: int) -> None:
        """Show how far grading is, as a bar in a terminal."""
        self._work(f"grading: {done} of {total}", done=done, total=total)

    def writing(self, what: str) -> None:
        """Show that the points are given, and what is being written besides."""
        self._work(f"writing {what} …")

    def graded(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def grade(self, grade: Grade) -> None:
        """Show a grade as a table, and what goes with it."""
        self.graded()
        self._show(grade_table(grade))
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

    def _work(self, what: str, *, done: int = 0, total: int | None = None) -> None:
        """Show a step of work; without a total it is not known how long it takes."""
        if not self._console.is_terminal:
            self.note(what)
            return
        if self._progress is None:
            self._free_line()
            columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
            self._progress = Progress(*columns, console=self._console, transient=True)
            self._progress.start()
        for task in self._progress.task_ids:
            self._progress.remove_task(task)
        self._progress.add_task(what, total=total, completed=done)

    # --- lines ----------------------------------------------------------------------------------------------

    def _line(self, text: str, style: str = "") -> None:
        self._show(Text(plain(text), style=style))

    def _show(self, what: RenderableType) -> None:
        if self._speaking:
            self._later.append(what)
            return
        self._free_line()
        self._console.print(what)

    def _show_later(self) -> None:
        waiting, self._later = self._later, []
        for what in waiting:
            self._show(what)

    def _free_line(self) -> None:
        """Leave the line of a prompt."""
        if self._prompted:
            self._console.print()
            self._prompted = False
