"""What ends a command with a line for people instead of a traceback."""


class Failure(Exception):
    """Something a person has to put right; the message says what, where and how. `code` is the exit code."""

    def __init__(self, message: str, *, code: int = 2) -> None:
        super().__init__(message)
        self.code = code
