"""What a conversation with an agent is limited by, and the ways in which it ends."""

import time
from dataclasses import dataclass

from schemas.evaluator_run import EndedReason, TalkStatus
from server.engine.evaluator.lines.line import Gone


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkLimits:
    """Seconds, and the number of the agent's turns; a scenario's max_duration comes on top.

    `quiet` ends a turn of the agent, `greeting` is how long it may take to speak first where that is unsaid,
    `silence` how long it may say nothing at all, `drain` how long is listened after an end.
    """

    quiet: float = 0.5
    greeting: float = 3.0
    silence: float = 300.0
    drain: float = 1.0
    max_turns: int = 50


DEFAULT_LIMITS = TalkLimits()


@dataclass(kw_only=True, eq=False)
class Over(Exception):
    """The conversation is over. `ours`: we end it, and `said` is what we say with that; else the agent did.

    `closed`: the line is closed, so that nothing can come any more.
    """

    status: TalkStatus
    reason: EndedReason
    at: float
    error: str | None = None
    ours: bool = True
    said: str = ""
    closed: bool = False


def ended_by_us(said: str = "") -> Over:
    """Return that the caller ends the call, with its last words."""
    return Over(status="completed", reason="Testing agent-ended-call", at=time.monotonic(), said=said)


def ended_by_agent(at: float, *, closed: bool = False) -> Over:
    """Return that the agent ended the call, by a message or by closing the line."""
    return Over(status="completed", reason="Main agent-ended-call", at=at, ours=False, closed=closed)


def never_spoken(gone: Gone, frame: str | None) -> Over:
    """Return that the line was closed before the agent said anything; `frame` was no message."""
    sent = f" Before that it sent, which is no message: {frame}" if frame else ""
    return not_connected(f"The agent said nothing before the end: {gone.reason}.{sent}", gone.at)


def not_connected(error: str, at: float) -> Over:
    """Return that no call came about."""
    return Over(
        status="failed",
        reason="Main agent-call-not-connected",
        at=at,
        error=error,
        ours=False,
        closed=True,
    )


def silent(seconds: float) -> Over:
    """Return that the agent said nothing for too long."""
    error = f"The agent said nothing for {seconds:g} seconds."
    return Over(status="timeout", reason="Main agent-silence-timed-out", at=time.monotonic(), error=error)


def too_long(seconds: float) -> Over:
    """Return that the call took too long."""
    error = f"The call took longer than its max_duration of {seconds:g} seconds."
    return Over(status="timeout", reason="exceeded-max-duration", at=time.monotonic(), error=error)


def too_many_turns() -> Over:
    """Return that the agent has had all its turns."""
    return Over(status="completed", reason="exceeded-max-turns", at=time.monotonic())


def cancelled(*, connected: bool = True) -> Over:
    """Return that a user ended the call, or did before there was one."""
    return Over(
        status="cancelled",
        reason="run-cancelled-by-user",
        at=time.monotonic(),
        ours=connected,
        closed=not connected,
    )


def caller_failed(error: str) -> Over:
    """Return that our side broke: the caller did not know what to say."""
    return Over(status="failed", reason="Testing agent-failed", at=time.monotonic(), error=error)
