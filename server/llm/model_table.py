"""The table of models: which endpoint the `provider` of a batch job's `llm` means, one line per entry."""

import re
from functools import lru_cache

# Each is the server's own endpoint (OPENAI_BASE_URL, or the embedded model): these are the names by which
# jobs written for other tools call an OpenAI-compatible one. A provider with an endpoint of its own would be
# a line with its address here.
TABLE: dict[str, tuple[str, ...]] = {
    "OpenAI": ("gpt", "ChatGPT", "OpenAICompatible"),
    "OpenAIChat": ("ChatOpenAI", "OpenAIChatCompletion"),
}
_NAMES = {
    re.sub(r"[^a-z0-9]", "", name.lower()) for entry, aliases in TABLE.items() for name in (entry, *aliases)
}


@lru_cache(maxsize=1_000)
def known(provider: str) -> bool:
    """Tell whether the table has a provider; case, hyphens and the like are the same (openai-chat)."""
    return re.sub(r"[^a-z0-9]", "", provider.lower()) in _NAMES
