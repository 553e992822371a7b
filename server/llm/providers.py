"""What the known providers of OpenAI-compatible endpoints can do; one line each."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal
from urllib.parse import urlsplit

Structured = Literal["json_schema", "json_object", "prompt"]

OPENAI_URL = "https://api.openai.com/v1"
SMALL_MODEL = "smollm2"


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A provider: `hosts` are patterns of host or host:port, `key_env` is where people keep its key.

    `bounds` says that schemas may hold minimum, maxItems and the like; `context_window` is in tokens, for its
    usual models, None when it depends on the model; without `tools` the endpoint would ignore them silently.
    What is wrong here is learnt from refusals.
    """

    name: str
    hosts: tuple[str, ...] = ()
    structured: Structured = "json_schema"
    bounds: bool = False
    stream_options: bool = True
    reliable_judge: bool = True
    tools: bool = True
    short_ids: bool = False
    context_window: int | None = None
    key_env: str | None = None


EMBEDDED = Provider(name="embedded", bounds=True, reliable_judge=False, tools=False, context_window=4_096)
OTHER = Provider(name="other", bounds=True, key_env="OPENAI_API_KEY")
PROVIDERS: tuple[Provider, ...] = (
    Provider(
        name="openai",
        hosts=("api.openai.com",),
        bounds=True,
        context_window=128_000,
        key_env="OPENAI_API_KEY",
    ),
    Provider(
        name="azure",
        hosts=("*.openai.azure.com", "*.services.ai.azure.com", "*.cognitiveservices.azure.com"),
        context_window=128_000,
        key_env="AZURE_OPENAI_API_KEY",
    ),
    Provider(name="openrouter", hosts=("openrouter.ai",), key_env="OPENROUTER_API_KEY"),
    Provider(name="groq", hosts=("api.groq.com",), context_window=131_072, key_env="GROQ_API_KEY"),
    Provider(name="together", hosts=("api.together.xyz", "api.together.ai"), key_env="TOGETHER_API_KEY"),
    Provider(
        name="mistral",
        hosts=("api.mistral.ai",),
        stream_options=False,  # refused with 422; the last chunk carries the usage unasked
        short_ids=True,  # ids of tool calls are nine letters or digits, others are refused
        context_window=128_000,
        key_env="MISTRAL_API_KEY",
    ),
    Provider(name="ollama", hosts=("*:11434",), bounds=True),
    Provider(name="vllm", hosts=("*:8000",), bounds=True, key_env="VLLM_API_KEY"),
    Provider(name="llama.cpp", hosts=("127.0.0.1:8080", "localhost:8080"), bounds=True),
)

# Reasoning models sample in their own way and refuse to be told; later ones learn it from their refusals.
NOT_OF_REASONING = frozenset(("temperature", "top_p", "frequency_penalty", "presence_penalty"))
_REASONING = re.compile(r"(openai/)?(o\d|gpt-5)(-(mini|nano|pro|preview))?(-\d{4}-\d\d-\d\d|-latest)?")


def provider_of(base_url: str, model: str) -> Provider:
    """Return the provider that serves a model at an address; the embedded model is known by its name."""
    if is_small(model):
        return EMBEDDED
    parts = urlsplit(base_url)
    names = (
        parts.hostname or "",
        f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}",
    )
    for provider in PROVIDERS:
        if any(fnmatchcase(name, pattern) for pattern in provider.hosts for name in names):
            return provider
    return OTHER


def is_small(model: str) -> bool:
    """Tell whether a model is the embedded one, which chats but is no judge."""
    return SMALL_MODEL in model.lower()


def is_reasoning(model: str) -> bool:
    """Tell whether a model is one of OpenAI's that reason before they answer, under any of its names."""
    return _REASONING.fullmatch(model.lower()) is not None
