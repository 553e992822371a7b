"""Holds the room of a batch job in docs/batch-jobs.md to what a server answers."""

import json
import re
from typing import Any

import aiohttp

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from tests.imports import ROOT
from tests.support.batch_jobs import KLARNA, MIRROR, seed_job, talk
from tests.support.running import Server, running, settings_for

PAGE = (ROOT / "docs" / "batch-jobs.md").read_text()
TITLE = "## The room of a job\n"


def shown() -> dict[str, Any]:
    """Return the snapshot of the page."""
    (text,) = re.findall(r"^```json\n(.*?)^```$", PAGE.partition(TITLE)[2].partition("\n## ")[0], re.S | re.M)
    found: dict[str, Any] = json.loads(text)
    return found


def kinds(value: Any) -> Any:
    """Return what a value is made of: names and types."""
    if isinstance(value, dict):
        return {name: kinds(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [kinds(value[-1])] if value else []
    return type(value)


async def test_the_snapshot_is_that_of_the_rehearsal(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    model[0].script(json.loads((KLARNA / "script.json").read_text()))
    async with running(settings_for(mongod_url, model[1], url_mirror=MIRROR)) as (url, app):
        server = Server(url=url, app=app, model=model[0], model_url=model[1])
        token = server.token(new(), role="author")
        async with talk(url, token, seed_job()) as socket:
            _, summary = await socket.whole()
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(url, headers=headers) as http:
            async with http.get("/api/jobs", params={"status": "completed"}) as answer:
                (job,) = (await answer.json())["items"]
            assert job["room"] == f"batch_{summary['job_id']}"
            async with http.get(f"/api/v1/rooms/{job['room']}") as answer:
                place = await answer.json()
    real, page = place["snapshot"], shown()
    assert kinds(real) == kinds(page)
    same = ("offset", "status", "total_runs", "permutations", "languages", "results", "passed", "failed")
    for name in (*same, "errors", "total_llm_tokens_used", "total_llm_api_cost", "ended"):
        assert real[name] == page[name], name
    assert (real["job"]["name"], real["job"]["version"]) == (page["job"]["name"], page["job"]["version"])
