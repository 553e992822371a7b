"""The runs of a batch job that have no result, as cases that were skipped: a build server must see them."""

from collections.abc import Iterator

from schemas.batch import BatchRequest, JobState
from server.engine.batch.report import Line
from server.engine.reports.junit import attributes, class_of

MAX_SKIPPED = 20_000  # cases of their own; of more a case of each suite tells the number
WHY: dict[JobState, str] = {
    "queued": "The job has not begun.",
    "running": "The job is running; there is no result yet.",
    "completed": "There is no result.",
    "cancelled": "The job was cancelled before this run was done.",
    "failed": "The job failed before this run was done.",
}


class Missing:
    """Knows which runs have a result."""

    def __init__(self, request: BatchRequest) -> None:
        self._request = request
        self._languages = len(request.languages)
        self._each = len(request.test_cases) * self._languages
        self._done = bytearray(request.total_runs)

    def seen(self, line: Line) -> None:
        """Take note of a result."""
        self._done[line.permutation * self._each + line.place * self._languages + line.language] = 1

    @property
    def too_many(self) -> bool:
        """Tell whether there are too many for a case of each."""
        return self._done.count(0) > MAX_SKIPPED

    def count(self, permutation: int) -> int:
        """Return how many runs of a permutation have no result."""
        return self._done.count(0, permutation * self._each, (permutation + 1) * self._each)

    def cases(self, permutation: int, *, state: JobState) -> Iterator[str]:
        """Yield the test cases of the runs of a permutation that have no result."""
        count, why = self.count(permutation), WHY[state]
        if count and self.too_many:
            name = f"{count:,} runs without a result"
            message = f"{count:,} of {self._each:,} runs have no result. {why}"
            yield self._case(permutation, name, f"<error{attributes({'message': message, 'type': state})}/>")
        elif count:
            skipped = f"<skipped{attributes({'message': why})}/>"
            for name in self._names(permutation):
                yield self._case(permutation, name, skipped)

    def _names(self, permutation: int) -> Iterator[str]:
        source, start = self._request.config.source_language, permutation * self._each
        languages = [language or source for language in self._request.languages]
        for run in range(self._each):
            if not self._done[start + run]:
                _, place, language = self._request.run_at(start + run)
                yield f"{self._request.test_cases[place].name} [{languages[language]}]"

    def _case(self, permutation: int, name: str, verdict: str) -> str:
        classname = class_of(self._request.permutations[permutation].name)
        named = {"name": name, "classname": classname, "time": "0.000"}
        return f"<testcase{attributes(named)}>{verdict}</testcase>\n"
