"""What makes Greenroom run on a fresh machine: a real MongoDB and a small model, as child processes."""

from server.errors import Unavailable


class EmbeddedError(Unavailable):
    """An embedded part could not be started; the message names what replaces it."""

    retryable = False
