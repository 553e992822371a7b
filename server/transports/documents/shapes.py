"""What HTTP answers where no schema of a stored or sent model says it: rows of lists, places, figures."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from schemas.content import (
    CONTENT_MODELS,
    Benchmark,
    RecordedMessage,
    RecordedRun,
    Rubric,
)
from schemas.content import Agent as TestedAgent
from schemas.draft import Draft
from schemas.envelope import ErrorCode, Id, JsonObject, Time
from schemas.generation import ArtifactName
from schemas.grade import Grade
from schemas.room import OpsKind
from schemas.stored import Owner
from schemas.test import ReplayedMessage, RunState, TestedBenchmark
from server.engine.replay.figures import Figures, Outcome, RunFigures
from server.store.replays import Counts
from server.transports.documents.told import Each, Row, Written


class Place(TypedDict):
    """A room with the offset after which it goes on."""

    room: str
    epoch: str
    offset: int


class Health(TypedDict):
    """How a process is."""

    status: Literal["ok", "degraded", "draining", "unavailable"]
    process: NotRequired[str]
    database: NotRequired[Literal["away"]]
    loop: NotRequired[Literal["stalled"]]
    bell: NotRequired[Literal["away"]]


class SessionOpened(TypedDict):
    """A session, and where its stream is read."""

    success: Literal[True]
    session_id: Id
    stream: str
    profile_id: NotRequired[Id]
    guest_id: NotRequired[Id]


class Success(TypedDict):
    """That it was done."""

    success: Literal[True]


# --- content ------------------------------------------------------------------------------------------------


class ContentPlace(TypedDict):
    """What the server tells of content beside what its author wrote."""

    kind: str
    version: int
    created_at: Time
    updated_at: Time


class Counted(ContentPlace):
    """A benchmark of a list has the number of its runs in their place."""

    run_count: int


CONTENT = Each(
    "kind",
    {
        f"{kind}s": Row(name=f"{model.__name__}Row", model=model, plus=ContentPlace, optional=None)
        for kind, model in CONTENT_MODELS.items()
    },
)
LISTED = Each(
    "kind",
    {
        **CONTENT.options,
        "benchmarks": Row(
            name="BenchmarkListRow", model=Benchmark, without=("runs",), plus=Counted, optional=None
        ),
    },
)
WRITTEN = Each("kind", {f"{kind}s": Written(model) for kind, model in CONTENT_MODELS.items()})


class RunAdded(TypedDict):
    """Where a recorded run is kept."""

    benchmark_id: Id
    version: int


RECORDED = Row(name="AddedRun", model=RecordedRun, plus=RunAdded)


class FromChat(TypedDict):
    """A graded chat becomes a run."""

    chat_id: Id


class FromRun(TypedDict):
    """A conversation becomes a run; its id may be left out."""

    run: JsonObject


RunNew = FromChat | FromRun
DRAFT = Row(name="DraftRow", model=Draft, without=("org", "applied", "owner"))


class DraftChanged(TypedDict):
    """A draft after a change."""

    success: Literal[True]
    draft_id: Id
    new_version: int
    form_state: JsonObject


class DraftRun(TypedDict):
    """A run of generate that writes into a draft; `resources` are those of `resource_types` that are made."""

    run_id: Id
    state: Literal["running", "done", "failed"]
    save: bool
    artifact_id: Id | None
    resource_types: list[str]
    resources: list[str]
    created_at: str


class ArtifactDocs(TypedDict):
    """The resource and entry types of an artifact, and what it is stored as, with their JSON schemas."""

    artifact_type: ArtifactName
    needed_to_save: list[str]
    resource_types: dict[str, JsonObject]
    entry_types: dict[str, JsonObject]
    content: JsonObject | None


class RoomRow(Place):
    """A room that one may follow, and whose it is."""

    kind: OpsKind | Literal["profile", "guest", "ops"]
    name: NotRequired[str]
    owner: NotRequired[Owner]
    status: NotRequired[str]
    created_at: NotRequired[Time]
    chat_id: NotRequired[Id]
    attempt_id: NotRequired[Id]
    invocation_id: NotRequired[Id]
    test_id: NotRequired[Id]
    job_id: NotRequired[Id]
    result_id: NotRequired[int]


class RoomWhole(Place):
    """A room with its snapshot, null for rooms that have none."""

    snapshot: JsonObject | None


class EntryRow(TypedDict):
    """An entry of a room; `at` in ms since 1970, `data` as sockets get it."""

    room: str
    offset: int
    at: int
    name: str
    data: JsonObject


class EntriesPlace(TypedDict):
    """Where a room stands."""

    epoch: str
    offset: int


# --- tests --------------------------------------------------------------------------------------------------


class TestRow(TypedDict):
    """A test of a list; `counts` are of all its runs."""

    id: Id
    benchmark: TestedBenchmark
    owner: Owner
    infinite_mode: bool
    status: str
    invocation_ids: list[Id]
    created_at: Time
    ended_at: Time | None
    counts: Counts


class InvocationRow(Place):
    """An invocation of a list; total_runs is of one cycle, `counts` are of all cycles."""

    id: Id
    test_id: Id
    agent: TestedAgent
    mode: str
    concurrency: int
    position: int
    total_runs: int
    infinite_mode: bool
    group: object
    cycle: int
    remaining_runs: int
    created_at: Time
    counts: Counts


class InvocationWhole(InvocationRow):
    """An invocation with its figures."""

    figures: Figures


class TestWhole(TestRow):
    """A test with its invocations, and the figures of all."""

    figures: Figures
    invocations: list[InvocationWhole]


class RunFailure(TypedDict):
    """Why a replay failed."""

    code: ErrorCode | None
    message: str


class RunRow(TypedDict):
    """A run without what was said: `run_id` names its present replay, `id` stays."""

    id: Id
    run_id: Id | None
    test_id: Id
    invocation_id: Id
    original_id: Id
    name: str
    position: int
    cycle: int
    state: RunState
    outcome: Outcome
    grading: bool
    grade_id: Id | None
    score: float | None
    total_points: float | None
    percentage: float | None
    passed: bool | None
    figures: RunFigures
    error: RunFailure | None
    created_at: Time
    started_at: Time | None
    finished_at: Time | None


class RecordingRow(TypedDict):
    """What was recorded."""

    id: Id
    name: str
    messages: list[RecordedMessage]
    rubric: Rubric | None


class RunWhole(RunRow, Place):
    """A run with what was said in it, beside what was recorded."""

    messages: list[ReplayedMessage]
    grades: list[Grade]
    running: JsonObject | None
    recording: RecordingRow | None
