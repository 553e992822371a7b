"""The command line: `python -m server COMMAND`, also installed as `greenroom`."""

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130  # what shells expect of a command that Ctrl-C ended


def main() -> None:
    """Run a command; what a person has to put right becomes a line on stderr and exit code 2."""
    usual = signal.signal(signal.SIGINT, _leave)
    from server.cli.commands import app  # takes a second or two: Ctrl-C leaves without a traceback
    from server.cli.failure import Failure
    from server.errors import GreenroomError

    signal.signal(signal.SIGINT, usual)
    try:
        app()
    except Failure as failure:
        print(f"greenroom: {failure}", file=sys.stderr)
        sys.exit(failure.code)
    except GreenroomError as error:
        print(f"greenroom: {error.message}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
