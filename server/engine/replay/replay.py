"""One replay: feeds the recorded user's turns to a model and tells the room what it says (socket-v5 §9)."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Literal

import orjson
import structlog

from schemas.content import ToolCall
from schemas.envelope import Id, Usage, utc_now
from schemas.playground import Source
from schemas.retrieval import Found
from schemas.test import Invocation, Recording, Run, RunResult, TestProgress, TestProgressType
from server.engine.conversation.deltas import Deltas
from server.engine.conversation.grounds import Grounds, instructed
from server.engine.conversation.parties import ModelParty
from server.engine.conversation.utterance import Utterance
from server.engine.grading.summary import add_usage
from server.engine.playground.grounding import LARGE_BUDGET, SMALL_BUDGET, instructions, sources_of
from server.engine.replay.dialogue import Dialogue, Round
from server.engine.replay.matching import Matcher
from server.errors import GreenroomError, Internal, Unavailable, Upstream
from server.llm import ChatTurn, Models
from server.llm.providers import is_small

log = structlog.get_logger(__name__)
MAX_TOOL_ROUNDS = 12  # of one turn
RETRY_SECONDS = 0.1
Halt = Literal["stopped", "interrupted", "lost"]
Publish = Callable[[str, bytes], "asyncio.Future[int]"]


class Halted(Exception):
    """The replay was stopped, or is no longer ours."""


class Replay:
    """Produces one replay; it stores nothing but tells its room each step by `publish`.

    `publish` raises Unavailable while the log cannot keep up, and its futures do when the lease is lost.
    """

    def __init__(
        self,
        run: Run,
        invocation: Invocation,
        recording: Recording,
        *,
        models: Models,
        grounds: Grounds,
        publish: Publish,
        holds: Callable[[], bool],
    ) -> None:
        self.fence = run.fence
        self.halt: Halt | None = None
        self._run = run
        self._replay_id: Id = run.replay_id or run.id
        self._invocation = invocation
        self._models = models
        self._grounds = grounds
        self._publish = publish
        self._holds = holds
        self._dialogue = Dialogue(
            recording.run, invocation.agent, replay_id=self._replay_id, mode=invocation.mode
        )
        self._matcher = Matcher(recording.run.messages)
        self._utterance: Utterance | None = None
        self._looking: asyncio.Task[Found] | None = None
        self._found: Found | None = None  # what the turn's answers rest on
        self._sources: list[Source] | None = None
        self._usages: list[Usage] = []
        self._calls = 0
        self._matched = 0

    def stop(self, halt: Halt) -> None:
        """End the replay without a result; the model's stream is closed at once."""
        self.halt = self.halt or halt
        if self._utterance is not None:
            self._utterance.stop()
        if self._looking is not None:
            self._looking.cancel()

    async def run(self) -> RunResult | None:
        """Return what the replay came to, also when the model failed; None when it was halted."""
        began = time.monotonic()
        failure: GreenroomError | None = None
        try:
            for turn in self._dialogue.rounds:
                await self._round(turn)
        except Halted:
            return None
        except Unavailable as error:
            if not self._holds():
                self.halt = self.halt or "interrupted"
                return None
            failure = error
        except GreenroomError as error:
            failure = error
        except Exception:  # a bug of ours: the run has failed, the others go on
            log.exception("replay broke", run_id=self._replay_id)
            failure = Internal()
        return self._result(failure, duration_ms=(time.monotonic() - began) * 1000)

    async def _round(self, turn: Round) -> None:
        for message in turn.asked:
            self._dialogue.hear(message)
            if message.role == "user":
                await self._tell("user_turn", message.content)
        await self._ground(turn)
        for _ in range(MAX_TOOL_ROUNDS):
            if not (calls := await self._answer(turn)):
                return
            for call in calls:
                await self._call(call)
        if await self._answer(turn):
            raise Upstream(f"The model called tools in more than {MAX_TOOL_ROUNDS} rounds of one turn.")

    async def _ground(self, turn: Round) -> None:
        """Find what the agent's pipeline has to what the user said; raises what stands in the way of that.

        A replay measures the agent: answers without its documents would be another agent's.
        """
        agent, said = self._invocation.agent, turn.last_asked
        pipeline_id = agent.pipeline_id
        if pipeline_id is None or not said:
            self._found = self._sources = None
            return
        self._check()
        budget = SMALL_BUDGET if is_small(agent.model or self._models.name) else LARGE_BUDGET
        find = self._grounds.find(pipeline_id, said, org=self._invocation.org, budget=budget)
        self._looking = asyncio.create_task(find)
        try:
            await asyncio.wait([self._looking])
        finally:
            self._looking.cancel()
        self._check()
        self._found = self._looking.result()
        self._sources = sources_of(self._found)
        shown = [s.model_dump(mode="json", exclude_none=True) for s in self._sources]
        await self._tell("sources", json.dumps(shown, ensure_ascii=False))

    def _turns(self) -> Sequence[ChatTurn]:
        """Return what the model is shown: the dialogue, and what the agent's pipeline has."""
        if self._found is None:
            return self._dialogue.turns
        passages = self._found.passages
        return instructed(self._dialogue.turns, lambda prompt: instructions(prompt, passages))

    async def _answer(self, turn: Round) -> list[ToolCall]:
        """Let the model say something; return the tools that it calls."""
        agent = self._invocation.agent
        party = ModelParty(
            self._models,
            self._turns(),
            model=agent.model,
            temperature=agent.temperature,
            tools=agent.tools,
            reasoning=agent.reasoning,
        )
        self._utterance = Utterance(party, Deltas(self._delta, head=self._head()))
        self._check()
        failure = await self._utterance.run()
        text, calls = self._utterance.text, party.tool_calls
        if party.usage is not None:
            self._usages.append(party.usage)
        if failure is None and not self.halt and not text and not calls:
            failure = Upstream("The model gave an empty answer; try again.")
        if text or (calls and failure is None):
            last = None if calls else turn.last_words
            self._dialogue.say(text, calls=calls, usage=party.usage, recorded=last, sources=self._sources)
        self._check()
        if failure is not None:
            raise failure
        if text:
            await self._tell("assistant_turn", text)
        return calls

    async def _call(self, call: ToolCall) -> None:
        answer = self._matcher.answer(call)
        self._calls += 1
        self._matched += answer.matched
        self._dialogue.result(call, answer)
        shown = {**call.model_dump(), "matched": answer.matched, "result": answer.result}
        await self._tell("tool_call", json.dumps(shown, ensure_ascii=False))

    def _result(self, failure: GreenroomError | None, *, duration_ms: float) -> RunResult:
        firsts = (u.first_token_ms for u in self._usages if u.first_token_ms is not None)
        return RunResult(
            messages=self._dialogue.messages,
            tool_calls=self._calls,
            matched_calls=self._matched,
            recorded_calls=len(self._matcher),
            first_token_ms=next(firsts, None),
            duration_ms=round(duration_ms, 3),
            usage=add_usage(self._usages),
            error=failure.message if failure else None,
            code=failure.code if failure else None,
            finished_at=utc_now(),
        )

    # --- telling --------------------------------------------------------------------------------------------

    def _check(self) -> None:
        if self.halt:
            raise Halted

    def _delta(self, j: bytes) -> "asyncio.Future[int]":
        return self._publish(TestProgress.event, j)

    def _head(self) -> bytes:
        """Return the beginning of a delta's payload, up to its text."""
        whole = self._progress("assistant_delta", "").model_dump(exclude_none=True)
        del whole["message"]
        return orjson.dumps(whole)[:-1] + b',"message":'

    def _progress(self, kind: TestProgressType, message: str) -> TestProgress:
        return TestProgress(
            invocation_id=self._run.invocation_id,
            type=kind,
            run_id=self._replay_id,
            current_run=self._run.position,
            total_runs=self._invocation.total_runs,
            message=message,
        )

    async def _tell(self, kind: TestProgressType, message: str) -> None:
        """Publish a step and wait until it is in the log; raises Unavailable when the lease is lost."""
        data = self._progress(kind, message).encode()
        while True:
            self._check()
            try:
                await self._publish(TestProgress.event, data)
                return
            except Unavailable:
                if not self._holds():
                    raise
                await asyncio.sleep(RETRY_SECONDS)  # too much waits for the log
