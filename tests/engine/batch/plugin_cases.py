"""Plugins and calls, small enough to be read, for the tests of matching and scoring."""

from schemas.envelope import JsonObject
from server.engine.batch.plugins.plugin import Operation, Plugin
from server.engine.batch.selectors.selection import Detected, Selected

KLARNA_URL = "https://plugins.example/Klarna_Shopping.json"
PRODUCTS = "https://www.klarna.com/us/shopping/public/openai/v0/products"


def operation(path: str, method: str = "get", *servers: str) -> Operation:
    """Return an operation at servers, by default at one."""
    return Operation(
        name=f"{method}_{path.strip('/').replace('/', '_')}",
        method=method,
        path=path,
        servers=servers or ("https://api.example/v1",),
        summary="",
        description="",
        parameters=(),
        schema={"type": "object", "properties": {}},
    )


def plugin(name: str, url: str, *operations: Operation, names: tuple[str, ...] = ()) -> Plugin:
    """Return a plugin with these operations."""
    return Plugin(
        manifest_url=url,
        name=name,
        names=(name, *names),
        description="",
        operations=operations,
        document="{}",
    )


KLARNA = plugin(
    "Klarna Shopping",
    KLARNA_URL,
    operation("/us/shopping/public/openai/v0/products", "get", "https://www.klarna.com"),
    names=("klarna_products",),
)
PETS = plugin(
    "Pets",
    "https://pets.example/openapi.json",
    operation("/pets"),
    operation("/pets", "post"),
    operation("/pets/{id}"),
    operation("/pets/mine"),
)


def called(owner: Plugin, number: int = 0, *, method: str | None = None, **parameters: object) -> Detected:
    """Return a call of one of a plugin's operations."""
    chosen = owner.operations[number]
    return Detected(
        plugin=owner, operation=chosen, target=chosen.name, method=method, parameters=JsonObject(parameters)
    )


def selected(*calls: Detected) -> Selected:
    """Return what a model came to that made these calls."""
    return Selected(final_output=None if calls else "I need no plugin for that.", detected=calls)
