"""The ways in which a model can be asked to choose: one file each, imported when it is first used."""

from functools import cache
from importlib import import_module
from typing import cast

from server.engine.batch.selectors.selection import Selector

# (provider, pipeline_name): the module, whose `select` it is
SELECTORS: dict[tuple[str, str], str] = {
    ("OpenAI", "default"): "openai_default",
    ("Imprompt", "default"): "imprompt",
    ("Langchain", "zero-shot-react-description"): "zero_shot",
    ("Langchain", "structured-chat-zero-shot-react-description"): "structured_chat",
}


def known(provider: str, pipeline: str) -> bool:
    """Tell whether there is such a selector."""
    return (provider, pipeline) in SELECTORS


def pipelines(provider: str) -> list[str]:
    """Return the pipelines of a provider."""
    return [pipeline for who, pipeline in SELECTORS if who == provider]


@cache
def selector(provider: str, pipeline: str) -> Selector:
    """Return a selector; raises KeyError for one that is not known."""
    module = import_module(f"{__name__}.{SELECTORS[provider, pipeline]}")
    return cast(Selector, module.select)
