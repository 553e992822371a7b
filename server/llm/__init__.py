"""Model access: the only place that speaks to model endpoints."""

from server.llm.completions import Completions
from server.llm.embeddings import Embedder, make_embedder
from server.llm.failures import ToolsRefused
from server.llm.images import Image
from server.llm.models import Models, Parsed, summed
from server.llm.stream import ModelStream
from server.llm.turns import ChatTurn

__all__ = [
    "ChatTurn",
    "Completions",
    "Embedder",
    "Image",
    "ModelStream",
    "Models",
    "Parsed",
    "ToolsRefused",
    "make_embedder",
    "summed",
]
