"""Watching: what is replayed to those who come later, and what operators see."""

from server.engine.watching.beat import Beat, Figures
from server.engine.watching.replay import Replays

__all__ = ["Beat", "Figures", "Replays"]
