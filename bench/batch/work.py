"""The work: one plugin with some operations, prompts that differ, and what the model answers to them all."""

from collections.abc import Iterator
from typing import Any

MODEL = "gpt-4o-mini"
MANIFEST_PATH = "/.well-known/ai-plugin.json"
OPENAPI_PATH = "/openapi.json"
ARGUMENTS = '{"q": "T shirt", "size": 5, "max_price": 40}'
THINGS = ("products", "stores", "brands", "offers", "reviews")
FUNCTION = "get_products"
ANSWER: dict[str, Any] = {
    "id": "chatcmpl-bench",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": MODEL,
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": f"call_{number}",
                        "type": "function",
                        "function": {"name": name, "arguments": ARGUMENTS},
                    }
                    for number, name in enumerate(("get_stores", FUNCTION))
                ],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 412, "completion_tokens": 38, "total_tokens": 450},
}


def prompts(count: int, *, salt: str) -> Iterator[str]:
    """Yield prompts of which no two are equal; another salt gives others."""
    for number in range(count):
        yield f"Show me 5 T shirts under 40 dollars for guest {salt}-{number}"


def manifest(url: str) -> dict[str, Any]:
    """Return the plugin's manifest."""
    return {
        "schema_version": "v1",
        "name_for_model": "bench_shop",
        "name_for_human": "Bench Shop",
        "description_for_model": "Search a shop for products, stores, brands, offers and reviews.",
        "description_for_human": "Search a shop.",
        "auth": {"type": "none"},
        "api": {"type": "openapi", "url": f"{url}{OPENAPI_PATH}"},
        "logo_url": f"{url}/logo.png",
        "contact_email": "shop@example.com",
        "legal_info_url": "https://example.com/legal",
    }


def openapi(url: str) -> dict[str, Any]:
    """Return the plugin's OpenAPI document: an operation for each sort of thing."""
    operation = {
        "responses": {"200": {"description": "What was found"}},
        "parameters": [
            _parameter("q", "string", "What is looked for, in a few words"),
            _parameter("size", "integer", "How many are returned"),
            _parameter("max_price", "integer", "The highest price in USD"),
        ],
    }
    paths = {
        f"/{thing}": {"get": {"operationId": f"get_{thing}", "summary": f"Find {thing}", **operation}}
        for thing in THINGS
    }
    return {
        "openapi": "3.0.1",
        "info": {"title": "Bench Shop", "version": "1"},
        "servers": [{"url": url}],
        "paths": paths,
    }


def job(url: str, cases: int, *, salt: str, concurrency: int) -> dict[str, Any]:
    """Return the job as a client sends it: one permutation, one language, so many cases."""
    address = f"{url}{MANIFEST_PATH}"
    case = {
        "type": "api_signature_selector",
        "expected_plugin_used": address,
        "expected_api_used": f"{url}/products",
        "expected_method": "get",
        "expected_parameters": {"q": "T shirt", "size": 5},
    }
    return {
        "version": "1",
        "name": "bench",
        "config": {"concurrency": concurrency},
        "test_plugin": {"manifest_url": address},
        "plugin_groups": [{"name": "shop", "plugins": [{"manifest_url": address}]}],
        "permutations": [
            {
                "name": "default",
                "llm": {"provider": "OpenAI", "model_name": MODEL, "temperature": 0, "max_tokens": 256},
                "tool_selector": {
                    "provider": "OpenAI",
                    "pipeline_name": "default",
                    "plugin_group_name": "shop",
                },
            }
        ],
        "test_cases": [
            {"name": f"case {number}", "prompt": prompt, **case}
            for number, prompt in enumerate(prompts(cases, salt=salt))
        ],
    }


def _parameter(name: str, kind: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": kind}}
