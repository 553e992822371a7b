"""`batch`, as a process: beside a running server, with one of its own, and in a terminal."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import aiohttp
import orjson
import pytest
import pytest_asyncio

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from tests.batch.seed_table import FUNCTION, RIGHT
from tests.cli.programs import command, program
from tests.cli.terminal import terminal
from tests.support.batch_jobs import KLARNA, MIRROR, klarna_cases
from tests.support.databases import databases
from tests.support.process import ServerProcess, free_port, server_process
from tests.support.proxy import proxy
from tests.support.running import Server, running, settings_for

CASES = 6
RIGHT_CALL = {"tool_calls": [{"name": FUNCTION, "arguments": RIGHT}]}
WRONG_CALL = {"tool_calls": [{"name": FUNCTION, "arguments": {"q": "hat"}}]}


@pytest_asyncio.fixture
async def server(mongod_url: str, model: tuple[ScriptedModel, str]) -> AsyncIterator[Server]:
    """Run a server that reads plugins from the mirror, with a model that chooses right."""
    async with running(settings_for(mongod_url, model[1], url_mirror=MIRROR)) as (url, app):
        model[0].script([RIGHT_CALL])
        yield Server(url=url, app=app, model=model[0], model_url=model[1].removesuffix("/v1"))


@pytest.fixture
def env(server: Server) -> dict[str, str]:
    """Name the server and an author's token."""
    return {"GREENROOM_URL": server.url, "GREENROOM_TOKEN": server.token(new(), role="author")}


@pytest.fixture
def job(tmp_path: Path) -> str:
    """Write a job of six cases."""
    return written(tmp_path, klarna_cases(CASES))


def written(folder: Path, job: Any) -> str:
    file = folder / "job.json"
    file.write_bytes(job if isinstance(job, bytes) else orjson.dumps(job))
    return str(file)


def lines(text: str) -> list[Any]:
    return [orjson.loads(line) for line in text.splitlines()]


async def test_results_are_told_one_by_one_and_summed_up(env: dict[str, str], job: str) -> None:
    finished = await command("batch", job, env=env)
    assert (finished.code, finished.err) == (0, "")
    for n in range(CASES):
        assert f"{n + 1}/{CASES}" in finished.out
        assert f"permutation1 · case {n} · English  1.00" in finished.out
    assert f"{CASES} of {CASES} runs passed (100 %)" in finished.out
    assert "\x1b" not in finished.out


async def test_the_exit_code_says_whether_enough_passed(
    server: Server, env: dict[str, str], job: str
) -> None:
    server.model.script([{"match": {"last_contains": "hat 0."}, **WRONG_CALL}, RIGHT_CALL])
    finished = await command("batch", job, env=env)
    assert finished.code == 1
    assert "Failed  permutation1 · case 0 · English" in finished.out
    assert f"chose GET {'https://www.klarna.com/us/shopping/public/openai/v0/products'}" in finished.out
    assert (await command("batch", job, "--fail-under", "80", env=env)).code == 0


async def test_errors_count_as_not_passed(server: Server, env: dict[str, str], job: str) -> None:
    server.model.script([{"status": 400, "error": {"message": "no such model"}}])
    assert (await command("batch", job, "--fail-under", "0.001", env=env)).code == 1
    assert (await command("batch", job, "--fail-under", "0", env=env)).code == 0


async def test_a_job_that_did_not_complete_is_told_so(
    server: Server, env: dict[str, str], tmp_path: Path
) -> None:
    server.model.script([{**RIGHT_CALL, "times": 1}, {"hang": True}])
    job = written(tmp_path, klarna_cases(CASES, concurrency=1))
    async with program("batch", job, "--json", "--fail-under", "0", env=env) as running:
        job_id = orjson.loads(await running.until('"index"'))["job_id"]
        headers = {"Authorization": f"Bearer {env['GREENROOM_TOKEN']}"}
        async with (
            aiohttp.ClientSession(server.url, headers=headers) as http,
            http.delete(f"/api/jobs/{job_id}") as response,
        ):
            assert response.status == 200
        finished = await running.finish()
    assert finished.code == 1
    assert finished.err.endswith("greenroom: the job is cancelled, with 1 results: somebody has stopped it\n")


async def test_a_connection_that_breaks_before_the_first_result_starts_no_second_job(
    server: Server, env: dict[str, str], job: str
) -> None:
    server.model.script([{**RIGHT_CALL, "first_delay_ms": 1000}])
    async with (
        proxy(server.url) as way,
        program("batch", job, "--json", env={**env, "GREENROOM_URL": way.url}) as running,
    ):
        await server.model.until("running")
        way.cut()
        finished = await running.finish()
    assert finished.code == 0, finished
    assert [r["index"] for r in lines(finished.out)] == list(range(CASES))
    assert len(server.model.requests) == CASES


async def test_reports_are_written_in_the_format_of_their_names(
    env: dict[str, str], job: str, tmp_path: Path
) -> None:
    files = [tmp_path / f"report{suffix}" for suffix in (".html", ".csv", ".xml", ".json")]
    options = [word for file in files for word in ("--report", str(file))]
    assert (await command("batch", job, *options, env=env)).code == 0
    html, csv, xml, json = (file.read_bytes() for file in files)
    assert html.lower().startswith(b"<!doctype html>")
    assert len(csv.splitlines()) == CASES + 1
    assert len(list(ElementTree.fromstring(xml).iter("testcase"))) == CASES
    assert len(orjson.loads(json)["details"]) == CASES
    refused = await command("batch", job, "--report", "report.pdf", env=env)
    assert (refused.code, refused.out) == (2, "")
    assert ".html, .csv, .xml, .json" in refused.err


async def test_results_can_be_lines_of_json_and_read_again(env: dict[str, str], job: str) -> None:
    finished = await command("batch", job, "--json", "--concurrency", "2", env=env)
    results = lines(finished.out)
    assert [r["index"] for r in results] == list(range(CASES))
    assert f"{CASES} of {CASES} runs passed" in finished.err
    again = await command("batch", "--resume", results[0]["job_id"], "--json", env=env)
    assert (again.code, lines(again.out)) == (0, results)
    missing = await command("batch", "--resume", new(), env=env)
    assert (missing.code, missing.out) == (2, "")
    assert "there is no job" in missing.err


async def test_everything_that_is_wrong_with_a_job_is_told_with_its_place(
    env: dict[str, str], tmp_path: Path
) -> None:
    wrong = klarna_cases(2)
    wrong["permutations"][0]["tool_selector"]["plugin_group_name"] = "nobody"
    wrong["permutations"][0]["llm"]["temperature"] = "warm"
    del wrong["test_cases"][1]["prompt"]
    finished = await command("batch", written(tmp_path, wrong), env=env)
    assert (finished.code, finished.out) == (2, "")
    assert finished.err.startswith("greenroom: the job is refused, 3 problems:\n")
    for place in (
        "permutations[0].tool_selector.plugin_group_name: ",
        "permutations[0].llm.temperature: ",
        "test_cases[1].prompt: ",
    ):
        assert finished.err.count(f"\n  {place}") == 1
    assert finished.err.count("\n") == 4
    wrong = klarna_cases(2)
    del wrong["test_cases"][1]["prompt"]
    finished = await command("batch", written(tmp_path, wrong), env=env)
    assert (finished.code, finished.out) == (2, "")
    assert finished.err == "greenroom: the job is refused: test_cases[1].prompt: Field required\n"


@pytest.mark.parametrize(
    ("name", "source", "where"),
    [
        ("job.yaml", b"name: x\nplugin_groups: [\n", "job.yaml:3:1: this is no YAML"),
        ("job.json", b'{\n  "name": }', "job.json:2:11: this is no JSON"),
        ("job.json", b"\xff", "it is no text in UTF-8"),
        (
            "job.json",
            b'[{"name": "x"}]',
            "a job is one object, with a name, test_cases and so on; this is a list",
        ),
        ("job.json", b"5", "this is a single value"),
        ("job.yaml", b"- name: x\n", "this is a list"),
        ("job.yaml", b"just text\n", "this is a single value"),
        ("job.yaml", b"", "this is empty"),
        ("none.json", None, "cannot read"),
    ],
)
async def test_a_file_that_cannot_be_read_is_told_with_its_line(
    tmp_path: Path, name: str, source: bytes | None, where: str
) -> None:
    if source is not None:
        (tmp_path / name).write_bytes(source)
    finished = await command("batch", str(tmp_path / name), "--data-dir", str(tmp_path))
    assert (finished.code, finished.out) == (2, "")
    assert where in finished.err
    assert finished.err.count("\n") == 1


async def test_who_may_not_start_jobs_is_told_so(server: Server, job: str, tmp_path: Path) -> None:
    learner = {"GREENROOM_URL": server.url, "GREENROOM_TOKEN": server.token(new())}
    finished = await command("batch", job, env=learner)
    assert (finished.code, finished.out) == (2, "")
    assert "it must be an author's" in finished.err
    stranger = await command("batch", job, "--url", server.url, "--data-dir", str(tmp_path))
    assert (stranger.code, stranger.out) == (2, "")
    assert "refuses the token" in stranger.err
    nobody = await command("batch", job, "--url", "http://127.0.0.1:1", "--data-dir", str(tmp_path))
    assert (nobody.code, nobody.out) == (2, "")
    assert "no server answers" in nobody.err


async def test_a_mirror_is_not_for_a_server_that_runs(env: dict[str, str], job: str) -> None:
    finished = await command("batch", job, "--mirror", str(MIRROR), env=env)
    assert (finished.code, finished.out) == (2, "")
    assert "GREENROOM_URL_MIRROR" in finished.err


async def test_without_a_server_one_is_started_for_the_job(
    mongod_url: str, model: tuple[ScriptedModel, str], tmp_path: Path
) -> None:
    model[0].script([RIGHT_CALL])
    settings = settings_for(mongod_url, model[1])
    alone = {
        "PORT": str(free_port()),
        "MONGODB_URL": mongod_url,
        "GREENROOM_MONGODB_DATABASE": databases.keep(settings.mongodb_database),
        "OPENAI_BASE_URL": model[1],
        "OPENAI_API_KEY": "not-a-key",
    }
    words = ("batch", str(KLARNA / "job.yaml"), "--mirror", str(MIRROR), "--data-dir", str(tmp_path))
    finished = await command(*words, env=alone)
    assert "one is started for this job" in finished.out
    assert "12/12" in finished.out
    assert "klarna_plugin_test-1.1.0-" in finished.out
    assert (finished.code, finished.err) == (1, "")


async def test_ctrl_c_cancels_the_job_and_shows_what_there_is(
    server: Server, env: dict[str, str], job: str
) -> None:
    hanging = [
        {"match": {"last_contains": f"hat {n}."}, "tool_calls": RIGHT_CALL["tool_calls"], "hang": True}
        for n in range(3, CASES)
    ]
    server.model.script([*hanging, RIGHT_CALL])
    async with program("batch", job, env=env) as running:
        await running.until(f"3/{CASES}")
        finished = await running.finish(signal.SIGINT)
    assert (finished.code, finished.err) == (130, "")
    assert "cancelling the job" in finished.out
    assert f"is cancelled: 3 of {CASES} runs were done, 3 of 3 runs passed" in finished.out


@pytest_asyncio.fixture
async def process(
    mongod_url: str, model: tuple[ScriptedModel, str], tmp_path: Path
) -> AsyncIterator[ServerProcess]:
    """Give a server process, not started yet."""
    settings = settings_for(mongod_url, model[1], url_mirror=MIRROR, data_dir=tmp_path)
    async with server_process(settings, tmp_path / "server.log") as running:
        yield running


async def test_it_goes_on_when_the_server_was_killed(
    process: ServerProcess, model: tuple[ScriptedModel, str], job: str
) -> None:
    model[0].script(
        [{"match": {"last_contains": "hat 5."}, "times": 1, "hang": True, **RIGHT_CALL}, RIGHT_CALL]
    )
    await process.start()
    env = {"GREENROOM_URL": process.url, "GREENROOM_TOKEN": process.token(new(), role="author")}
    async with program("batch", job, "--json", env=env) as running:
        for _ in range(CASES - 1):
            await running.until('"index"')
        await process.kill()
        await process.start()
        finished = await running.finish()
    results = lines(finished.out)
    assert [r["index"] for r in results] == list(range(CASES))
    assert len({r["test_case_name"] for r in results}) == CASES
    assert finished.code == 0, finished


async def test_a_terminal_shows_a_table_that_grows(server: Server, env: dict[str, str], job: str) -> None:
    server.model.script([{**RIGHT_CALL, "first_delay_ms": 300}])
    async with terminal("batch", job, "--concurrency", "2", env=env) as screen:
        await screen.until("permutation1")
        await screen.until(f"/{CASES}")
        await screen.until(f"{CASES} of {CASES} runs passed")
        async with asyncio.timeout(20):
            assert await screen.finish() == 0


async def test_a_reader_that_leaves_ends_it_without_a_traceback(env: dict[str, str], job: str) -> None:
    async with program("batch", job, "--json", env=env, shell="exec > >(head -1)") as running:
        finished = await running.finish()
    assert len(lines(finished.out)) == 1
    assert "Traceback" not in finished.err
    assert "BrokenPipeError" not in finished.err
