"""Watching: what is replayed to those who come later, and what operators see."""

from server.engine.watching.beat import Beat, Figures
from server.engine.watching.playback import Playback
from server.engine.watching.queues import Queues

__all__ = ["Beat", "Figures", "Playback", "Queues"]
