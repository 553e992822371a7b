"""One corpus that never changes, and servers to search it on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from server.llm.scripted import ScriptedModel
from tests.playground.searching import Data, Search, search_of
from tests.support.running import Server, running, settings_for

NO_JUDGE = "smollm2"  # served by the scripted model, but known as one that cannot judge
RETURNS = (
    "Goods may be sent back within thirty days of delivery. We refund the price to your card once they have"
    " reached our warehouse."
)
CORPUS: list[Data] = [
    {
        "id": "returns",
        "text": RETURNS,
        "metadata": {"file_name": "return-policy.md", "year": 2023, "tags": ["shop", "money"], "note": ""},
    },
    {
        "id": "repairs",
        "text": "Cars and lorries are mended in the garage on Mondays. Bring the keys of your automobile.",
        "metadata": {"file_name": "garage_rules.md", "year": 2021, "tags": ["works"], "lang": "en"},
    },
    {
        "id": "song",
        "text": "The word vehicle occurs in this poem about a vehicle of dreams;"
        " the rest is silence and snow.",
        "metadata": {"file_name": "poem.txt", "year": "2023", "tags": [], "lang": "de"},
    },
    {
        "id": "holiday",
        "text": "Employees have twenty-five days of paid leave each year and ask their manager for them.",
        "metadata": {"title": "Leave of Absence", "year": 2024, "tags": ["staff", "money"], "lang": None},
    },
]


@asynccontextmanager
async def corpus(
    mongod_url: str, model: tuple[ScriptedModel, str], *documents: Data, **settings: Any
) -> AsyncIterator[tuple[Search, Server]]:
    """Run a server whose only pipeline has the corpus, and further documents."""
    chosen = settings_for(mongod_url, model[1]).model_copy(update=settings)
    async with running(chosen) as (url, app):
        server = Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))
        async with search_of(server) as (search, _):
            await search.put(*CORPUS, *documents)
            yield search, server


def asking(key: str, operator: str, value: Any) -> Data:
    """Return filters of one condition."""
    return {"filters": [{"key": key, "operator": operator, "value": value}]}
