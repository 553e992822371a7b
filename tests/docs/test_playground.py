"""Runs what the README shows of the playground, as it stands there."""

import json
from pathlib import Path

from schemas.playground import LlmParams
from schemas.retrieval import RetrievalParams
from server.engine.ids import new
from server.transports import keys
from tests.cli.programs import environment
from tests.docs.readme import blocks, section
from tests.docs.test_rehearsal import shell
from tests.imports import ROOT
from tests.support.running import Server

PAGE = (ROOT / "docs" / "playground.md").read_text()
TOKEN = "export GREENROOM_TOKEN=$(.venv/bin/python -m server token --role author)\n"
ANSWER = "Press both ends of the cable in until they click."


async def test_the_first_session_runs_as_it_is_written(server: Server, tmp_path: Path) -> None:
    await server.script({"reply": ANSWER})
    given = blocks("Playground", "sh")
    assert given[0].startswith(TOKEN)
    token = server.app[keys.ACCESS].mint(role="author", profile_id=new(), seconds=600)
    env = environment({"GREENROOM_URL": server.url, "GREENROOM_TOKEN": token})
    code, printed = await shell("\n".join(given).removeprefix(TOKEN), cwd=tmp_path, env=env)
    assert code == 0, printed
    lines = printed.splitlines()
    answers = [json.loads(line) for line in lines if line.startswith(("{", "["))]
    (retrieved,) = (answer for answer in answers if "retrieval_nodes" in answer)
    assert retrieved["retrieval_nodes"][0]["node"]["extra_info"] == {"page": 5}
    told = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert (told[0], told[-1]) == ("playground_sources", "playground_complete")
    session = answers[-1]
    assert [m["role"] for m in session["chat_messages"]] == ["user", "assistant"]
    assert session["chat_messages"][1]["content"] == ANSWER
    assert session["retrieval_params"]["alpha"] == 1
    assert session["llm_params"]["system_prompt"] == "Answer in one sentence."


def test_every_setting_is_described() -> None:
    names = RetrievalParams.model_fields.keys() | LlmParams.model_fields.keys()
    assert {name for name in names if f"`{name}`" not in PAGE} == {"class_name"}


def test_the_readme_leads_to_the_page() -> None:
    assert "docs/playground.md" in section("Playground")
