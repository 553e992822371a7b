"""Attempts: starting, proceeding, ending, and the leased work behind them."""

from server.engine.attempts.attempts import Attempts
from server.engine.attempts.work import Works

__all__ = ["Attempts", "Works"]
