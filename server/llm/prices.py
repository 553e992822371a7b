"""What known models cost; list prices in USD per million tokens, cached and batch discounts not counted."""

import re
from functools import lru_cache

from server.llm.providers import is_small

PRICES: dict[str, tuple[float, float]] = {  # model prefix: (in, out)
    "gpt-5.1": (1.25, 10.0),
    "gpt-5": (1.25, 10.0),
    "gpt-5-mini": (0.25, 2.0),
    "gpt-5-nano": (0.05, 0.4),
    "gpt-5-pro": (15.0, 120.0),
    "gpt-4.1": (2.0, 8.0),
    "gpt-4.1-mini": (0.4, 1.6),
    "gpt-4.1-nano": (0.1, 0.4),
    "gpt-4o": (2.5, 10.0),
    "gpt-4o-mini": (0.15, 0.6),
    "gpt-4-turbo": (10.0, 30.0),
    "gpt-4": (30.0, 60.0),
    "gpt-3.5-turbo": (0.5, 1.5),
    "o1": (15.0, 60.0),
    "o1-pro": (150.0, 600.0),
    "o3": (2.0, 8.0),
    "o3-mini": (1.1, 4.4),
    "o3-pro": (20.0, 80.0),
    "o4-mini": (1.1, 4.4),
    "mistral-large": (2.0, 6.0),
    "mistral-medium": (0.4, 2.0),
    "mistral-small": (0.1, 0.3),
    "open-mistral-nemo": (0.15, 0.15),
    "llama-3.3-70b-versatile": (0.59, 0.79),
    "llama-3.1-8b-instant": (0.05, 0.08),
    "meta-llama/llama-3.3-70b-instruct-turbo": (0.88, 0.88),
    "meta-llama/meta-llama-3.1-8b-instruct-turbo": (0.18, 0.18),
    "anthropic/claude-sonnet-4": (3.0, 15.0),
    "anthropic/claude-3.5-haiku": (0.8, 4.0),
    "google/gemini-2.5-pro": (1.25, 10.0),
    "google/gemini-2.5-flash": (0.3, 2.5),
    "google/gemini-2.0-flash-001": (0.1, 0.4),
}
# A dated or moving name of the same model (gpt-4o-2024-08-06, mistral-large-latest), but not another
# model whose name begins alike (gpt-4o-audio-preview): a wrong price is worse than none.
_SAME_MODEL = re.compile(r"(-\d{4}(-?\d{2}){0,2}|-latest)?")


def cost(model: str, *, prompt_tokens: int, completion_tokens: int) -> float | None:
    """Return the price of a reply in USD; None for an unknown model, 0.0 for the embedded one."""
    if is_small(model):
        return 0.0
    price = _price(model.lower())
    if price is None:
        return None
    return (prompt_tokens * price[0] + completion_tokens * price[1]) / 1_000_000


@lru_cache(maxsize=1_000)
def _price(model: str) -> tuple[float, float] | None:
    for name in (model, model.removeprefix("openai/").removeprefix("mistralai/")):
        for prefix in sorted(PRICES, key=len, reverse=True):
            if name.startswith(prefix) and _SAME_MODEL.fullmatch(name, len(prefix)):
                return PRICES[prefix]
    return None
