"""Model access: the only place that speaks to model endpoints."""

from server.llm.images import Image
from server.llm.models import Models, Parsed
from server.llm.stream import ModelStream
from server.llm.turns import ChatTurn

__all__ = ["ChatTurn", "Image", "ModelStream", "Models", "Parsed"]
