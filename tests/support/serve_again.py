"""Serves again and again for tests that kill a server often: what takes seconds, loading, is done once.

`start` on standard input forks a process that serves, with nothing of its predecessors but the code; it tells
its address. `kill` ends it by SIGKILL and is answered. The end of the input is the end.
"""

import asyncio
import ctypes
import os
import signal
import sys

from tests.support.serve import serve

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Obey until the input ends."""
    pid = 0
    print("loaded", flush=True)
    for command in sys.stdin:
        if command.strip() == "start":
            pid = os.fork()
            if pid == 0:
                _live()
        else:
            _kill(pid)
            pid = 0
            print("killed", flush=True)
    if pid:
        _kill(pid)


def _live() -> None:
    """Serve in a process that has just been forked, and end with it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        asyncio.run(serve())
    finally:
        os._exit(1)


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
