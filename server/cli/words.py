"""What commands write: texts of others as a terminal may show them, and lines for other programs."""

import os
import sys

from server.cli.chat_panels import plain
from server.cli.failure import Failure

UNREAD = 1  # the exit code
LONGEST = 100  # characters of a text that others wrote


def short(text: object, *, longest: int = LONGEST) -> str:
    """Return a text of others in one line that cannot steer a terminal."""
    line = " ".join(plain(text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def print_line(line: str, *, unread: str) -> None:
    """Write a line on stdout; raises Failure with the sentence `unread` when nobody reads it any more."""
    try:
        print(line, flush=True)
    except BrokenPipeError as error:  # such as that of `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is for nobody
        raise Failure(unread, code=UNREAD) from error
