"""Providers and prices."""

import pytest

from server.llm.prices import cost
from server.llm.providers import provider_of
from server.llm.turns import ChatTurn, drop_oldest, with_system


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://mine.openai.azure.com/openai/v1", "azure"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://api.together.xyz/v1", "together"),
        ("https://api.mistral.ai/v1", "mistral"),
        ("http://localhost:11434/v1", "ollama"),
        ("http://gpu.internal:8000/v1", "vllm"),
        ("http://127.0.0.1:8080/v1", "llama.cpp"),
        ("http://127.0.0.1:39999/v1", "other"),
        ("https://api.openai.com.evil.example/v1", "other"),
    ],
)
def test_providers_are_known_by_their_host(url: str, name: str) -> None:
    assert provider_of(url, "some-model").name == name


def test_the_embedded_model_is_known_by_its_name() -> None:
    provider = provider_of("http://127.0.0.1:8080/v1", "SmolLM2-135M-Instruct")
    assert (provider.name, provider.reliable_judge) == ("embedded", False)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4o", 12.5),
        ("gpt-4o-2024-08-06", 12.5),
        ("openai/gpt-4o-mini", 0.75),
        ("mistral-large-latest", 8.0),
        ("mistral-large-2411", 8.0),
        ("meta-llama/Llama-3.3-70B-Instruct-Turbo", 1.76),
        ("gpt-4o-audio-preview", None),
        ("my-own-model", None),
        ("smollm2-135m", 0.0),
    ],
)
def test_prices_are_those_of_the_same_model(model: str, expected: float | None) -> None:
    price = cost(model, prompt_tokens=1_000_000, completion_tokens=1_000_000)
    assert price == (None if expected is None else pytest.approx(expected))


def test_nothing_is_dropped_from_a_single_turn() -> None:
    assert drop_oldest([{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]) is None


def test_an_answer_goes_with_its_question() -> None:
    said: list[ChatTurn] = [
        {"role": "user", "content": "q1"},
        {"role": "assistant", "content": "a1"},
        {"role": "user", "content": "q2"},
    ]
    assert drop_oldest(said) == [{"role": "user", "content": "q2"}]


def test_a_system_text_joins_the_first_system_turn() -> None:
    assert with_system([], "x") == [{"role": "system", "content": "x"}]
    assert with_system([{"role": "system", "content": "a"}], "x") == [{"role": "system", "content": "a\n\nx"}]
