"""The parts of a job's evaluation: a scripted model, plugins in a folder, and a real database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import SecretStr

from schemas.batch import BatchRequest
from server.engine.batch.evaluation import Evaluation, evaluations
from server.engine.batch.plugins.fetching import Fetcher
from server.engine.batch.sealing import Keys
from server.engine.ids import new
from server.llm.completions import Completions
from server.llm.scripted import ScriptedModel
from server.store import Store, connect
from tests.imports import ROOT
from tests.support.databases import databases

KLARNA = ROOT / "content" / "batch" / "klarna"
MANIFEST = "https://assistant-management-data.s3.amazonaws.com/Klarna_Shopping.json"
PRODUCTS = "https://www.klarna.com/us/shopping/public/openai/v0/products"
FUNCTION = "get_public_openai_v0_products"


def case(name: str = "test1", **changes: Any) -> dict[str, Any]:
    """Return a case that expects Klarna's products."""
    return {
        "name": name,
        "type": "plugin_selector",
        "prompt": "Show me 5 T shirts from Klarna",
        "expected_plugin_used": MANIFEST,
        "expected_api_used": PRODUCTS,
        "expected_method": "get",
    } | changes


def permutation(name: str = "one", *, selector: dict[str, Any] | None = None, **llm: Any) -> dict[str, Any]:
    """Return a permutation of OpenAI/default."""
    chosen = {"provider": "OpenAI", "pipeline_name": "default", "plugin_group_name": "shopping"}
    return {
        "name": name,
        "llm": {"provider": "OpenAIChat", "model_name": "gpt-4o", "max_retries": 0} | llm,
        "tool_selector": chosen | (selector or {}),
    }


def job(*languages: str, **changes: Any) -> BatchRequest:
    """Return a job of one run in each language."""
    config = {"auto_translate_to_languages": list(languages)} | changes.pop("config", {})
    raw = {
        "version": "1",
        "name": "job",
        "config": config,
        "test_plugin": {"manifest_url": MANIFEST},
        "plugin_groups": [
            {"name": "shopping", "plugins": [{"manifest_url": MANIFEST}]},
            {"name": "broken", "plugins": [{"manifest_url": "https://nowhere.example/manifest.json"}]},
        ],
        "permutations": [permutation()],
        "test_cases": [case()],
    }
    return BatchRequest.model_validate_json(orjson.dumps(raw | changes))


@dataclass
class Bench:
    """What jobs are evaluated with."""

    model: ScriptedModel
    url: str
    store: Store
    fetcher: Fetcher
    completions: Completions
    job_id: str

    def evaluation(self, request: BatchRequest, keys: Keys | None = None) -> Evaluation:
        """Return the evaluation of a job, with nothing of an earlier one but what is stored."""
        make = evaluations(completions=self.completions, fetcher=self.fetcher, translations=self.store.jobs)
        return make(request, self.job_id, keys or Keys())

    def asked(self) -> list[list[dict[str, Any]]]:
        """Return the messages of every request to the model."""
        return [seen.messages for seen in self.model.requests]


@asynccontextmanager
async def bench(
    model: tuple[ScriptedModel, str],
    mongod_url: str,
    *,
    mirror: Path = KLARNA / "mirror",
    small: bool = False,
) -> AsyncIterator[Bench]:
    """Put the parts together, and close them."""
    store = connect(mongod_url, databases.name(mongod_url))
    fetcher = Fetcher(mirror=mirror, private=False)
    completions = Completions(
        base_url=model[1],
        api_key=SecretStr("of-server"),
        model="smollm2" if small else "scripted",
        timeout=10,
    )
    yield Bench(*model, store, fetcher, completions, new())
    await completions.aclose()
    await fetcher.aclose()
    store.close()
