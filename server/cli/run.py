"""Runs a command's coroutine: signals and exit codes."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import typer

INTERRUPTED = 130  # what shells expect of a command that Ctrl-C ended
SAME = 0.5  # seconds; wrappers pass on a Ctrl-C that the terminal has sent already
SERVERS_END = 24.0  # seconds; less than what supervisors give, of which Heroku's 30 are the least
NOT_IN_TIME = 1


def run(
    main: Coroutine[Any, Any, int | None], *, when_stopped: int = INTERRUPTED, within: float | None = None
) -> None:
    """Run a command to its end and exit with its code, or with `when_stopped` after Ctrl-C or SIGTERM.

    A signal cancels the coroutine, whose cleanup then takes the time it needs, but never more than `within`
    seconds: whatever hangs then ends with the process, threads too. A second Ctrl-C cancels the cleanup too.
    Raises what the coroutine raises.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        code = runner.run(_until_signal(main, when_stopped, within))
    raise typer.Exit(code)


async def _until_signal(
    main: Coroutine[Any, Any, int | None], when_stopped: int, within: float | None
) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(main)
    stops: list[float] = []  # when it was told to stop

    def stop(number: signal.Signals) -> None:
        if stops and (number is not signal.SIGINT or loop.time() - stops[-1] < SAME):
            return
        if stops:
            print("greenroom: stopping at once", file=sys.stderr)
        elif within is not None:
            _end_within(within)
        stops.append(loop.time())
        task.cancel()

    _on_signals(loop, stop)
    try:
        return await task or 0
    except asyncio.CancelledError:
        code = INTERRUPTED if len(stops) > 1 else when_stopped
        if within is not None:
            _end(code)
        return code


def _on_signals(loop: asyncio.AbstractEventLoop, stop: Callable[[signal.Signals], None]) -> None:
    with contextlib.suppress(NotImplementedError):  # Windows has no such handlers
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, number)


def _end_within(seconds: float) -> None:
    """End the process after so many seconds, even if its loop or a thread that it waits for hangs."""

    def end() -> None:
        print(f"greenroom: not stopped within {seconds:g} s; ended", file=sys.stderr)
        _end(NOT_IN_TIME)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def _end(code: int) -> None:
    """End the process now: its cleanup is done, and threads of drivers may wait for what is away."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's loop, which is faster, where it exists."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
