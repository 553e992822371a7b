"""The ready job with the embedded small model, offline and without a key."""

from pathlib import Path

import orjson
import pytest

from server.embedded import EmbeddedError
from server.embedded.model import find_weights
from tests.batch.seed_table import ROWS
from tests.cli.programs import Finished, program
from tests.support.batch_jobs import MIRROR, seed_job
from tests.support.process import free_port

MINUTES = 540.0
TOKENS = 48  # instead of 1,024: a small model that repeats itself takes as many as it may


def is_installed() -> bool:
    try:
        find_weights()
    except EmbeddedError:
        return False
    return True


async def batch(tmp_path: Path, *words: str) -> Finished:
    """Run the ready job on a server of its own, with everything embedded."""
    job = orjson.loads(seed_job())
    for permutation in job["permutations"]:
        permutation["llm"]["max_tokens"] = TOKENS
    file = tmp_path / "job.json"
    file.write_bytes(orjson.dumps(job))
    options = ("--mirror", str(MIRROR), "--data-dir", str(tmp_path), *words)
    async with program("batch", str(file), *options, env={"PORT": str(free_port())}) as running:
        return await running.finish(within=MINUTES)


@pytest.mark.timeout(600)
@pytest.mark.skipif(not is_installed(), reason="the small model is not installed")
async def test_it_runs_to_its_end(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    finished = await batch(tmp_path, "--json", "--report", str(report))
    assert finished.code == 1, finished  # it is too small to choose well, and calls no functions
    results = [orjson.loads(line) for line in finished.out.splitlines()]
    found = {(r["permutation_name"], r["test_case_name"], r["language"]) for r in results}
    assert found == set(ROWS)
    assert [r["index"] for r in results] == list(range(len(ROWS)))
    asked = [r for r in results if r["is_run_completed"]]
    assert {r["permutation_name"] for r in asked} == {"permutation2", "permutation3"}
    assert all(r["total_llm_tokens_used"] > 0 and r["llm_api_cost"] == 0 for r in asked)
    assert all("smollm2" in r["answered_by"] for r in asked)
    for result in results:
        if result["permutation_name"] == "permutation1" and result["language"] == "English":
            assert "cannot call tools" in result["error"]["message"]
    summary = orjson.loads(report.read_bytes())
    assert summary["status"] == "completed"
    assert summary["details"] == results
