"""A report as JSON: everything, in an order of fields that stays."""

from typing import Any

import orjson

from schemas.envelope import iso
from schemas.test import Invocation, Recording, Run
from server.engine.replay.report import Part, Summary
from server.engine.replay.views import (
    counts_of,
    figures_view,
    recording_view,
    row_of_invocation,
    row_of_test,
    run_whole,
)


class JsonReport:
    """The test, its figures, its invocations with their runs, and the recorded runs."""

    talks = True
    recordings = True
    between = ",\n"

    def opening(self, summary: Summary) -> str:
        """Return the test and its figures."""
        shown = {
            "exported_at": iso(summary.made_at),
            "test": row_of_test(summary.test, counts_of(summary.figures)),
            "figures": figures_view(summary.figures),
        }
        return f'{_open(shown)},"invocations":[\n'

    def invocation(self, summary: Summary, part: Part) -> str:
        """Return an invocation and its figures."""
        row = row_of_invocation(part.invocation, counts_of(part.figures))
        shown = {**row, "figures": figures_view(part.figures)}
        return f'{_open(shown)},"runs":[\n'

    def run(self, invocation: Invocation, run: Run, recording: Recording | None) -> str:
        """Return a run with what was said and its grades."""
        return _json(run_whole(run))

    def invocation_end(self) -> str:
        """Close an invocation."""
        return "]}"

    def middle(self) -> str:
        """Begin the recorded runs."""
        return '\n],"recordings":[\n'

    def recording(self, recording: Recording) -> str:
        """Return a recorded run."""
        return _json(recording_view(recording))

    def closing(self, summary: Summary) -> str:
        """Close the report."""
        return "\n]}\n"


def _json(value: dict[str, Any]) -> str:
    return orjson.dumps(value).decode()


def _open(value: dict[str, Any]) -> str:
    """Return an object that is not closed yet."""
    return _json(value)[:-1]
