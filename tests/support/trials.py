"""Verbs of tests: begin, run, ended, refused – what authors do with recorded runs."""

from dataclasses import dataclass, field
from typing import Any

from schemas.test import Run
from server.engine.ids import derive
from server.engine.packs import content_id
from server.store import Store
from tests.support.attempts import Client, check_failure

Data = dict[str, Any]
LOOKUP = {
    "match": {"last_contains": "A-17"},
    "times": 1,
    "reply": "One moment.",
    "tool_calls": [{"name": "lookup", "arguments": {"order": "A-17"}}],
}
HANGING = {"chunks": ["Half ", "of it"], "hang": True}
ERROR_TYPES = {
    "test_start": "prepare",
    "test_next": "prepare",
    "test_run": "run",
    "test_group": "run",
    "test_end": "end",
    "test_end_all": "end",
    "test_stop": "stop",
    "test_join": "context",
    "test_leave": "context",
}


@dataclass
class Trial:
    """A test that a client has started, and the invocation of its first agent."""

    client: Client
    benchmark: str
    test_id: str
    invocations: list[Data] = field(default_factory=list)

    @property
    def invocation_id(self) -> str:
        """Return the first invocation."""
        found: str = self.invocations[0]["invocation_id"]
        return found

    @property
    def room(self) -> str:
        """Return the first invocation's room."""
        return f"test_{self.invocation_id}"

    @property
    def ids(self) -> Data:
        """Return what names the invocation in payloads."""
        return {"test_id": self.test_id, "test_invocation_id": self.invocation_id}

    def original(self, name: str) -> str:
        """Return the id of a recorded run."""
        return original(self.benchmark, name)

    def run_key(self, name: str, *, cycle: int = 1) -> str:
        """Return the id under which a run is stored."""
        return derive(self.invocation_id, str(cycle), self.original(name))

    async def send(self, name: str, **more: Any) -> str:
        """Let a recorded run be replayed and return the replay."""
        ack = await self.client.send("test_run", **self.ids, run_id=self.original(name), **more)
        run_id: str = ack["run_id"]
        return run_id

    async def run(self, name: str, **more: Any) -> str:
        """Have a recorded run replayed to its end and return the replay."""
        run_id = await self.send(name, **more)
        await self.client.until("test_run_complete", run_id=run_id)
        return run_id

    async def hears(self, run_id: str, text: str) -> None:
        """Wait until the deltas of a replay add up to a text."""
        count = 0
        while self.said(run_id) != text:
            count += 1
            await self.client.until("test_progress", count=count, type="assistant_delta", run_id=run_id)

    def said(self, run_id: str) -> str:
        """Return the deltas of a replay, joined."""
        deltas = self.client.named("test_progress", type="assistant_delta", run_id=run_id)
        return "".join(d["message"] for d in deltas)

    def steps(self, run_id: str) -> list[tuple[str, str]]:
        """Return a replay's events besides deltas: what kind, and what was said."""
        return [
            (d.get("type", n), d.get("message", ""))
            for n, d in self.client.seen
            if d.get("run_id") == run_id and d.get("type") != "assistant_delta" and "offset" in d
        ]

    def entries(self) -> list[tuple[str, Data]]:
        """Return what the client has seen of the invocation's room."""
        return [(n, d) for n, d in self.client.seen if d.get("room") == self.room]

    async def snapshot(self) -> Data:
        """Return the invocation's snapshot, as a client of its own would get it."""
        await self.client.send("test_leave", invocation_id=self.invocation_id)
        join = await self.client.send("test_join", invocation_id=self.invocation_id)
        found: Data = join["snapshot"]
        return found

    async def stored(self, store: Store, name: str, *, cycle: int = 1) -> Run:
        """Return a run as it is stored."""
        run = await store.runs.get(self.run_key(name, cycle=cycle))
        assert run is not None
        return run


def benchmark(key: str) -> str:
    """Return the id of a benchmark of the tests' pack."""
    return content_id("lesson", "benchmark", key)


def original(key: str, name: str) -> str:
    """Return the id of a recorded run of the tests' pack."""
    return content_id("lesson", "benchmark", f"{key}/runs/{name}")


async def begin(client: Client, key: str = "desk", **more: Any) -> Trial:
    """Start a test of a benchmark."""
    ack = await client.send("test_start", benchmark_id=benchmark(key), **more)
    return Trial(client, key, ack["test_id"], ack["invocations"])


async def refused(client: Client, event: str, code: str, *, retryable: bool = False, **data: Any) -> Data:
    """Send an event that must fail with a code: by its ack, and by test_error; return the ack's error."""
    before = len(client.named("test_error", room=None))
    ack = await client.call(event, **data)
    error = check_failure(client, ack, code, retryable=retryable)
    notice = await client.until("test_error", count=before + 1, room=None)
    assert (notice["code"], notice["message"]) == (code, error["message"]), notice
    kind = {"bad_request": "validation", "forbidden": "auth"}.get(code, ERROR_TYPES[event])
    assert notice["error_type"] == kind, notice
    assert "offset" not in notice
    return error


def as_state(snapshot: Data) -> Data:
    """Return what a client can know that has only an invocation's snapshot."""
    running = {r["run_id"]: {**r, "parts": [r["text"]]} for r in snapshot.get("running", [])}
    for entry in running.values():
        del entry["text"]
    runs = {r["run_id"]: r for r in snapshot["runs"]}
    more = snapshot.get("more", False)
    return {"runs": runs, "running": running, "complete": snapshot.get("complete"), "more": more}
