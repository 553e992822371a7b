"""Becomes the command given to it, which the system ends when the process that started it dies.

Run as a file (`python -I -S guard.py PARENT_PID COMMAND …`), because the request must be made by the child
itself, between fork and exec, and running Python between the two in a process with threads can deadlock.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Arrange for SIGTERM at the parent's death where the system can (Linux), then exec the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before the request was made
        sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
