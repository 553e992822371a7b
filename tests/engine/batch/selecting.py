"""Plugins and a model that selectors are tried with."""

from collections.abc import Sequence
from typing import Any

from schemas.batch import CaseType, Llm
from schemas.envelope import JsonObject
from server.engine.batch.plugins.plugin import Operation, Plugin
from server.engine.batch.selectors import selector
from server.engine.batch.selectors.selection import Group, Request, Selected, Selection
from server.llm.completions import Completion, CompletionAsk, Completions
from server.llm.scripted import ScriptedModel

PROMPT = "Show me 5 T shirts from Klarna"
LLM = Llm(provider="OpenAIChat", model_name="gpt-4o", temperature=0, n=1, best_of=1)
SCHEMA: JsonObject = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
PRODUCTS = Operation(
    name="get_products",
    method="get",
    path="/v0/products",
    servers=("https://www.klarna.com/us",),
    summary="Find products",
    description="Prices included",
    parameters=(),
    schema=SCHEMA,
    examples=("Show me T shirts", "What do sneakers cost?"),
    helpers=("q: what is wanted, in singular", "size: how many"),
)
ORDER = Operation(
    name="post_orders_id",
    method="post",
    path="/orders/{id}",
    servers=("https://www.klarna.com/us",),
    summary="Order",
    description="",
    parameters=(),
    schema={"type": "object", "properties": {}},
)
SEARCH = Operation(
    name="get_products",
    method="get",
    path="/search",
    servers=("https://search.example",),
    summary="",
    description="",
    parameters=(),
    schema={"type": "object", "properties": {}},
)
KLARNA = Plugin(
    manifest_url="https://plugins.example/Klarna.json",
    name="Klarna Shopping",
    names=("Klarna Shopping", "KlarnaProducts"),
    description="Compares prices.",
    operations=(PRODUCTS, ORDER),
    document='{"openapi":"3.0.1","of":"klarna"}',
)
WEB = Plugin(
    manifest_url="https://plugins.example/Web.json",
    name="Web Search",
    names=("Web Search", "web_search"),
    description="Searches the web.",
    operations=(SEARCH,),
    document='{"openapi":"3.0.1","of":"web"}',
)


async def selected(
    completions: Completions,
    way: tuple[str, str],
    *,
    plugins: Sequence[Plugin] = (KLARNA, WEB),
    case_type: CaseType = "plugin_selector",
    request: Request | None = None,
) -> Selected:
    """Return what the model behind some completions selects in one way."""

    async def complete(ask: CompletionAsk) -> Completion:
        return await completions.complete(ask)

    group = Group(plugins)
    selection = Selection(prompt=PROMPT, case_type=case_type, plugins=group, llm=LLM, request=request)
    return await selector(*way)(selection, complete)


def outcome(found: Selected) -> list[tuple[str | None, str | None, str, str | None, JsonObject]]:
    """Return the calls of an outcome, plugin and operation by name."""
    return [
        (
            call.plugin.name if call.plugin else None,
            call.operation.name if call.operation else None,
            call.target,
            call.method,
            call.parameters,
        )
        for call in found.detected
    ]


def asked(scripted: ScriptedModel) -> list[list[dict[str, Any]]]:
    """Return the messages of each request that the model has seen."""
    return [seen.messages for seen in scripted.requests]
