"""Imprompt/default: plugins are named first, then the request to each of them is written."""

from typing import Any

import pytest

from server.engine.batch.plugins.plugin import Plugin
from server.llm.completions import Completions
from server.llm.scripted import ScriptedModel
from tests.engine.batch.selecting import KLARNA, PROMPT, WEB, asked, outcome, selected

IMPROMPT = ("Imprompt", "default")
USER = {"role": "user", "content": PROMPT}
URL = "https://www.klarna.com/us/v0/products"
ORDERS = "https://www.klarna.com/us/orders"


def named(answer: str) -> dict[str, Any]:
    return {"match": {"system_contains": "Decide which"}, "reply": answer}


def written(answer: str, plugin: str = "Klarna Shopping") -> dict[str, Any]:
    return {"match": {"system_contains": f"the plugin {plugin} serves"}, "reply": answer}


async def test_first_the_plugins_are_listed_then_the_document_is_shown(
    scripted: ScriptedModel, completions: Completions
) -> None:
    scripted.script([named("Action: Klarna Shopping"), written(f"GET {URL}?q=shirt&size=5")])
    found = await selected(completions, IMPROMPT)
    first, second = asked(scripted)
    assert [first[0]["role"], first[1:], second[0]["role"], second[1:]] == ["system", [USER]] * 2
    assert "Klarna Shopping: Compares prices.\nWeb Search: Searches the web.\n" in first[0]["content"]
    assert "openapi" not in first[0]["content"]
    told = second[0]["content"]
    assert all(part in told for part in ("Compares prices.", "- size: how many", KLARNA.document))
    assert "Show me T shirts" not in told
    assert outcome(found) == [
        ("Klarna Shopping", "get_products", f"{URL}?q=shirt&size=5", "get", {"q": "shirt", "size": "5"})
    ]
    assert found.final_output is None
    assert all(list(seen.body) == ["model", "messages", "temperature", "n"] for seen in scripted.requests)


@pytest.mark.parametrize(
    "answer", ["Action: None", "I need nothing.", "action: none.", "Action:", "**Action:** N/A"]
)
async def test_without_a_name_nothing_is_written(
    scripted: ScriptedModel, completions: Completions, answer: str
) -> None:
    scripted.script([named(answer)])
    found = await selected(completions, IMPROMPT)
    assert (found.final_output, list(found.detected), len(scripted.requests)) == (answer, [], 1)


@pytest.mark.parametrize(
    "answer",
    [
        "Action: klarna_shopping",
        "I think so.\nAction: KlarnaProducts\nThat is all.",
        '**Action:** "Klarna Shopping".',
        "> Action: [Klarna Shopping]",
        "Action: https://plugins.example/Klarna.json",
        "Action: Klarna Shopping\nAction: klarna shopping, KLARNAPRODUCTS",
    ],
)
async def test_names_are_found_as_models_write_them(
    scripted: ScriptedModel, completions: Completions, answer: str
) -> None:
    scripted.script([named(answer), written(f"GET {URL}")])
    found = await selected(completions, IMPROMPT)
    assert outcome(found) == [("Klarna Shopping", "get_products", URL, "get", {})]
    assert len(scripted.requests) == 2


async def test_several_plugins_are_asked_in_their_order_and_unknown_ones_are_calls_of_none(
    scripted: ScriptedModel, completions: Completions
) -> None:
    scripted.script(
        [
            named("Action: Web Search, Amazon\nAction: Klarna Shopping"),
            written("GET https://search.example/search?q=a&q=b", "Web Search"),
            written(f"GET {URL}"),
        ]
    )
    found = await selected(completions, IMPROMPT)
    assert outcome(found) == [
        ("Web Search", "get_products", "https://search.example/search?q=a&q=b", "get", {"q": ["a", "b"]}),
        (None, None, "Amazon", None, {}),
        ("Klarna Shopping", "get_products", URL, "get", {}),
    ]
    assert len(scripted.requests) == 3


@pytest.mark.parametrize("name", ["Shops, Inc.", "Shop (US)"])
async def test_a_name_may_have_commas_and_brackets(
    scripted: ScriptedModel, completions: Completions, name: str
) -> None:
    odd = Plugin(
        manifest_url=WEB.manifest_url,
        name=name,
        names=(name,),
        description="",
        operations=WEB.operations,
        document="{}",
    )
    scripted.script([named(f"Action: {name}"), written("GET /search", name)])
    found = await selected(completions, IMPROMPT, plugins=[odd, KLARNA])
    assert outcome(found) == [(name, "get_products", "/search", "get", {})]


@pytest.mark.parametrize(
    ("answer", "call"),
    [
        (f"get {URL}/?q=T+shirt", ("get_products", f"{URL}/?q=T+shirt", "get", {"q": "T shirt"})),
        (
            f"GET {URL}?q=T shirt&e=",
            ("get_products", f"{URL}?q=T shirt&e=", "get", {"q": "T shirt", "e": ""}),
        ),
        (f"Sure:\n```\nGET {URL}\n```", ("get_products", URL, "get", {})),
        (f"`GET {URL}`", ("get_products", URL, "get", {})),
        (f"GET {URL} finds them", ("get_products", URL, "get", {})),
        ("GET /v0/products?q=a", ("get_products", "/v0/products?q=a", "get", {"q": "a"})),
        (
            "GET https://wrong.example/us/v0/products",
            ("get_products", "https://wrong.example/us/v0/products", "get", {}),
        ),
        (f"DELETE {URL}", ("get_products", URL, "delete", {})),
        (
            f'POST {ORDERS}/7?fast=1 {{"id": 8, "to": {{"city": "Bern"}}}} as asked',
            (
                "post_orders_id",
                f"{ORDERS}/7?fast=1",
                "post",
                {"id": "7", "fast": "1", "body_id": 8, "to": {"city": "Bern"}},
            ),
        ),
        (
            f'POST {ORDERS}/7\n\n```json\n{{\n"a": [1]}}\n```',
            ("post_orders_id", f"{ORDERS}/7", "post", {"id": "7", "a": [1]}),
        ),
        (f"POST {ORDERS}/7 [1, 2]", ("post_orders_id", f"{ORDERS}/7", "post", {"id": "7", "body": [1, 2]})),
        (f"POST {ORDERS}/7 {{broken", ("post_orders_id", f"{ORDERS}/7", "post", {"id": "7"})),
        (f"GET {URL}?a%00b=1", ("get_products", f"{URL}?a%00b=1", "get", {})),
        (f"GET {URL}/none/here?q=1", (None, f"{URL}/none/here?q=1", "get", {"q": "1"})),
        ("GET http://[broken?q=1", (None, "http://[broken?q=1", "get", {})),
        ("I cannot.", (None, "Klarna Shopping", None, {})),
    ],
)
async def test_requests_are_read_as_models_write_them(
    scripted: ScriptedModel, completions: Completions, answer: str, call: tuple[Any, ...]
) -> None:
    scripted.script([named("Action: Klarna Shopping"), written(answer)])
    found = await selected(completions, IMPROMPT)
    assert outcome(found) == [("Klarna Shopping", *call)]
    assert found.final_output == (None if call[2] else answer)
