"""Content that models make: drafts, resources, and saves that can be practised at once (socket-v5 §6)."""

from server.engine.drafting.drafts import Drafts
from server.engine.drafting.generating import Generating
from server.engine.drafting.keeper import GenerationKeeper
from server.engine.drafting.limits import Limits
from server.engine.drafting.making import Maker
from server.engine.drafting.preparing import Preparing
from server.engine.drafting.running import Runner

__all__ = ["Drafts", "Generating", "GenerationKeeper", "Limits", "Maker", "Preparing", "Runner"]
