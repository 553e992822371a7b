"""Adds runs to benchmarks on behalf of authors."""

from typing import Any

from pydantic import ValidationError

from schemas.content import Benchmark, RecordedRun
from schemas.envelope import Id, Problem
from server.engine.access import Identity
from server.engine.ids import derive
from server.engine.recordings.adding import extend, with_runs
from server.engine.recordings.chats import run_of_chat
from server.errors import BadRequest, Forbidden, NotFound
from server.store import Store

Row = dict[str, Any]
_ONE = "Give exactly one of chat_id and run."


class Recorder:
    """Turns graded chats, or conversations sent to it, into runs of a benchmark."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, caller: Identity, benchmark_id: Id, body: object) -> tuple[Row, bool]:
        """Add the run that a request's body names and return it; tell whether it is new."""
        await self._check_may_add(caller, benchmark_id)
        if not isinstance(body, dict) or len(body) != 1:
            raise BadRequest(_ONE)
        if "chat_id" in body:
            run = await self._of_chat(caller, benchmark_id, body["chat_id"])
        elif "run" in body:
            run = await self._given(caller, benchmark_id, body["run"])
        else:
            raise BadRequest(_ONE)

        def change(benchmark: Benchmark) -> Benchmark:
            return with_runs(benchmark, [run])

        done = await extend(self._store.content, benchmark_id, org=caller.org, change=change)
        stored = next(r for r in done.benchmark.runs if r.id == run.id)
        where = {"benchmark_id": benchmark_id, "version": done.version}
        return {**where, **stored.model_dump()}, bool(done.added)

    async def _check_may_add(self, caller: Identity, benchmark_id: Id) -> None:
        if (
            not caller.sees_all
            or await self._store.content.get("benchmark", benchmark_id, org=caller.org) is None
        ):
            raise NotFound("There is no such benchmark, or it is not yours.")
        if not caller.is_author:
            raise Forbidden("Only authors may change content.")

    async def _of_chat(self, caller: Identity, benchmark_id: Id, chat_id: object) -> RecordedRun:
        chat = await self._store.chats.get(chat_id) if isinstance(chat_id, str) else None
        if chat is None or chat.org != caller.org:
            raise NotFound("There is no such chat, or it is not yours.")
        return run_of_chat(chat, benchmark_id)

    async def _given(self, caller: Identity, benchmark_id: Id, given: object) -> RecordedRun:
        if not isinstance(given, dict):
            raise BadRequest("run: an object with name and messages is needed.")
        try:
            run = RecordedRun.model_validate({"id": derive("no id yet"), **given})
        except ValidationError as error:
            raise _refused(error) from error
        rubric_id = run.rubric_id
        if rubric_id and await self._store.content.get("rubric", rubric_id, org=caller.org) is None:
            raise BadRequest("run.rubric_id: There is no rubric with this id.")
        if "id" in given:
            return run
        said = run.model_dump_json(include={"messages"}, exclude_defaults=True)
        return run.model_copy(update={"id": derive("recorded", benchmark_id, said)})


def _refused(error: ValidationError) -> BadRequest:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    problems = [Problem(loc=["run", *e["loc"]], msg=e["msg"], type=e["type"]) for e in found]
    where = ".".join(str(part) for part in problems[0].loc)
    return BadRequest(f"{where}: {problems[0].msg}", details=problems)
