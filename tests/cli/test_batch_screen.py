"""What `batch` says while a job runs and when it has ended: estimates, reasons, and who answered."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from server.cli.batch_figures import LEAST_COMPLETED, LEAST_SECONDS, Estimate
from server.cli.batch_reasons import Reasons
from server.cli.batch_screen import left_in_words
from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from tests.batch.seed_table import PRODUCTS
from tests.cli.programs import command
from tests.cli.terminal import terminal
from tests.support.batch_jobs import MIRROR, klarna_cases
from tests.support.running import Server, running, settings_for

LONG = f"{'it went wrong ' * 15}and this is the advice"


@pytest_asyncio.fixture
async def server(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[Server]:
    """Run a server with the name of the embedded model, which answers for every name."""
    settings = settings_for(mongod_url, model[1], url_mirror=MIRROR).model_copy(
        update={"openai_model": "smollm2-tiny"}
    )
    async with running(settings) as (url, app):
        yield Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))


@pytest.fixture
def env(server: Server) -> dict[str, str]:
    return {"GREENROOM_URL": server.url, "GREENROOM_TOKEN": server.token(new(), role="author")}


def result(**changes: Any) -> dict[str, Any]:
    """Return a result that failed by its method."""
    call = {"plugin_name": "Klarna Shopping", "plugin_operation": PRODUCTS, "method": "post"}
    fields: dict[str, Any] = {
        "test_case_name": "case 0",
        "test_type": "plugin_selector",
        "source_prompt": klarna_cases(1)["test_cases"][0]["prompt"],
        "verdict": "Failed",
        "error": None,
        "final_output": None,
        "is_plugin_operation_found": True,
        "is_method_matched": False,
        "detected": [{**call, "parameters": {"q": "hat"}}],
    }
    return fields | changes


def called(**changes: Any) -> list[dict[str, Any]]:
    return [{**result()["detected"][0], **changes}]


def job_of_case(**changes: Any) -> dict[str, Any]:
    job = klarna_cases(1)
    job["test_cases"][0] |= {"type": "plugin_selector", **changes}
    return job


def reason(job: dict[str, Any] | None = None, **changes: Any) -> str:
    job = job or job_of_case()
    return Reasons(orjson.dumps(job).decode()).of(result(**changes))


def test_an_estimate_waits_for_runs_that_were_completed() -> None:
    estimate = Estimate(100, 0.0)
    for _ in range(20):
        estimate.add({"is_run_completed": False})
    assert estimate.left(60.0) is None
    for _ in range(LEAST_COMPLETED):
        estimate.add({"is_run_completed": True})
    assert estimate.left(LEAST_SECONDS - 1) is None
    assert estimate.left(60.0) == 60 / LEAST_COMPLETED * (100 - 20 - LEAST_COMPLETED)


def test_of_a_job_that_was_started_before_there_is_no_estimate() -> None:
    estimate = Estimate(None, 0.0)
    for _ in range(LEAST_COMPLETED):
        estimate.add({"is_run_completed": True})
    assert estimate.left(60.0) is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, ""), (3.6, "about 0:00:04 left"), (7265, "about 2:01:05 left")]
)
def test_what_is_left_is_told_in_words(seconds: float | None, words: str) -> None:
    assert left_in_words(seconds) == words


def test_a_reason_says_what_was_wanted_beside_what_was_chosen() -> None:
    assert reason() == f"wanted GET {PRODUCTS}, chose POST {PRODUCTS}"
    assert reason(detected=[], final_output="No.").endswith(", chose no call and said: No.")
    assert Reasons(None).of(result()) == f"chose POST {PRODUCTS}"
    assert reason(verdict="Passed") == ""
    assert reason(error={"code": "upstream", "message": LONG}) == LONG


def test_a_reason_says_what_does_not_exist() -> None:
    unknown = called(plugin_name=None, plugin_operation="requests_get", method=None)
    assert reason(detected=unknown).endswith("chose “requests_get”, which the group does not have")
    elsewhere = called(plugin_name=None, plugin_operation="https://else.test/x", method="get")
    assert reason(detected=elsewhere).endswith(
        "chose GET https://else.test/x, which is no operation of the group"
    )
    bare = called(plugin_operation="Klarna Shopping", method=None)
    assert reason(detected=bare).endswith("chose Klarna Shopping without an operation")


def test_a_reason_shows_parameters_where_they_alone_are_wrong() -> None:
    job = job_of_case(type="api_signature_selector", expected_parameters={"q": "shirt"})
    given = {
        "test_type": "api_signature_selector",
        "is_method_matched": True,
        "detected": called(method="get"),
    }
    assert (
        reason(job, **given) == f'wanted GET {PRODUCTS} {{"q":"shirt"}}, chose GET {PRODUCTS} {{"q":"hat"}}'
    )


def test_a_reason_says_that_nothing_was_wanted() -> None:
    job = job_of_case(expected_plugin_used=None, expected_api_used=None)
    assert reason(job).startswith("wanted no call, chose POST ")


def job_file(folder: Path, *languages: str) -> str:
    job = klarna_cases(2)
    job["config"]["auto_translate_to_languages"] = list(languages)
    for permutation in job["permutations"]:
        permutation["tool_selector"]["provider"] = "Imprompt"
    file = folder / "job.json"
    file.write_bytes(orjson.dumps(job))
    return str(file)


async def test_where_nobody_watches_each_failure_is_told_once(
    server: Server, env: dict[str, str], tmp_path: Path
) -> None:
    server.model.script([{"reply": "Action: None"}])
    finished = await command("batch", job_file(tmp_path), env=env)
    assert (finished.code, finished.err) == (1, "")
    for n in range(2):
        assert finished.out.count(f"permutation1 · case {n} · English") == 1
    assert finished.out.count(f"wanted GET {PRODUCTS}, chose no call") == 2
    assert "(answered by smollm2-tiny)" in finished.out
    upper, lower = (line.replace("┃", "").split() for line in finished.out.splitlines() if "┃" in line)
    assert upper == ["score", "seconds", "tokens", "USD"]  # whole, in 80 columns
    assert lower == ["permutation", "passed", "failed", "errors", "mean", "mean", "sum", "sum"]


async def test_an_error_is_told_to_its_end_in_a_terminal(
    server: Server, env: dict[str, str], tmp_path: Path
) -> None:
    server.model.script([{"reply": "Muéstrame"}])
    async with terminal("batch", job_file(tmp_path, "Spanish"), env=env) as screen:
        await screen.until("smollm2-tiny did not")
        await screen.until("language.")
        await screen.until("0 of 2 runs passed")
        assert await screen.finish() == 1
