"""Calls an agent for a run: over which line, with which headers, by which caller."""

from collections.abc import Callable

from schemas.evaluator_run import EvaluatorRun, Setup
from server.engine.evaluator.callers.making import caller_of
from server.engine.evaluator.callers.templating import headers
from server.engine.evaluator.lines.dialing import Dialer
from server.engine.evaluator.lines.line import AgentLine, Heard, Span
from server.engine.evaluator.lines.text_line import TextLine
from server.engine.evaluator.parts import Call, Conversation, OnItem
from server.engine.evaluator.starting import merged
from server.engine.evaluator.talking.talk import Talk
from server.engine.evaluator.talking.turns import TalkLimits
from server.llm import Models


class Watched:
    """A line that tells when it is open."""

    def __init__(self, line: AgentLine, on_open: Callable[[], None]) -> None:
        self._line = line
        self._on_open = on_open

    async def open(self) -> None:
        """Connect, and tell that it is; raises NotConnected."""
        await self._line.open()
        self._on_open()

    async def hear(self) -> Heard:
        """Return what is heard next."""
        return await self._line.hear()

    async def say(
        self, text: str, *, end: bool = False, speed: float = 1.0, volume: float = 1.0
    ) -> Span | None:
        """Send a turn; raises LineClosed."""
        return await self._line.say(text, end=end, speed=speed, volume=volume)

    async def press(self, digits: str) -> None:
        """Press keys; raises LineClosed."""
        await self._line.press(digits)

    async def close(self) -> None:
        """Close the connection."""
        await self._line.close()


def text_calls(models: Models, dialer: Dialer, *, limits: TalkLimits) -> Call:
    """Return how agents are called over their text WebSockets."""

    def call(
        setup: Setup, run: EvaluatorRun, *, on_item: OnItem, on_open: Callable[[], None]
    ) -> Conversation:
        line = TextLine(setup.agent.websocket_url or "", headers=handshake(setup, run), dialer=dialer)
        return Talk(
            line=Watched(line, on_open),
            caller=caller_of(setup, models),
            scenario=setup.scenario,
            gives_first_message=setup.agent.agent_gives_first_message,
            on_item=on_item,
            limits=limits,
        )

    return call


def handshake(setup: Setup, run: EvaluatorRun) -> dict[str, str]:
    """Return the headers of a run's handshake: ours, its profile's, its agent's; the last ones count."""
    ours = {
        "X-VOCERA-SCENARIO-ID": str(run.plan.scenario),
        "X-VOCERA-RESULT-ID": str(run.result),
        "X-VOCERA-RUN-ID": str(run.id),
    }
    if setup.agent.websocket_secret is not None:
        ours["X-VOCERA-SECRET"] = setup.agent.websocket_secret
    return merged(merged(ours, headers(setup)), setup.agent.websocket_headers)
