"""A case for each of twenty real OpenAPI documents: chosen among all of them, and its parameters mapped."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest_asyncio

from server.engine.ids import new
from server.llm.scripted import ScriptedModel
from tests.imports import ROOT
from tests.support.batch_jobs import Message, talk
from tests.support.running import Server, running, settings_for

DOCUMENTS = ROOT / "tests" / "data" / "openapi"
HOST = "plugins.example.org"


class Case(NamedTuple):
    """A document, a function of it as models see it, a request to it, and the parameters of both."""

    file: str
    function: str
    request: str
    parameters: dict[str, Any]

    @property
    def manifest(self) -> str:
        return f"https://{HOST}/{self.file}/manifest.json"

    @property
    def prompt(self) -> str:
        return f"Use <{self.file}>."


CASES = (
    Case(
        "apis-guru__apispec.json",
        "get_provider_json",
        "GET https://api.apis.guru/v2/apis.guru.json",
        {"provider": "apis.guru"},
    ),
    Case(
        "biztoc__apispec.json",
        "get_ai_news",
        "GET https://ai.biztoc.com/ai/news?query=interest%20rates",
        {"query": "interest rates"},
    ),
    Case(
        "calculator__apispec.json",
        "get_calculator_operation_a_b",
        "GET https://chat-calculator-plugin.supportmirage.repl.co/calculator/add/2/3.5",
        {"operation": "add", "a": 2, "b": 3.5},
    ),
    Case(
        "datasette__apispec.json",
        "get_content_json",
        "GET https://datasette.io/content.json?sql=select+1&_shape=array",
        {"sql": "select 1", "_shape": "array"},
    ),
    Case(
        "freetv-app__apispec.json",
        "get_services",
        "GET https://staging2.freetv-app.com/services?funcs=GetTrending",
        {"funcs": "GetTrending"},
    ),
    Case(
        "joinmilo__apispec.json",
        "get_askMilo",
        "GET https://www.joinmilo.com/api/askMilo?query=magic",
        {"query": "magic"},
    ),
    Case(
        "klarna__apispec.json",
        "get_public_openai_v0_products",
        "GET https://www.klarna.com/us/shopping/public/openai/v0/products?q=hat&budget=30",
        {"q": "hat", "budget": 30},
    ),
    Case(
        "milo__apispec.json",
        "get_askMilo_2",
        "GET https://www.joinmilo.com/api/askMilo?query=dinner",
        {"query": "dinner"},
    ),
    Case(
        "quickchart__apispec.json",
        "post_chart",
        'POST https://quickchart.io/chart {"chart": {"type": "bar"}, "width": 500}',
        {"chart": {"type": "bar"}, "width": 500},
    ),
    Case(
        "robot__apispec.yaml",
        "post_goto_x_y_z",
        "POST http://localhost:7289/goto/1/2/3?cautiousness=low",
        {"x": 1, "y": 2, "z": 3, "cautiousness": "low"},
    ),
    Case(
        "robot_openapi.yaml",
        "delete_recycle_2",
        'DELETE http://localhost:7289/recycle {"pw": "please", "public": []}',
        {"pw": "please", "public": []},
    ),
    Case(
        "schooldigger__apispec.json",
        "get_v2_0_districts_id",
        "GET https://api.schooldigger.com/v2.0/districts/0642150?appID=a&appKey=b",
        {"id": "0642150", "appID": "a", "appKey": "b"},
    ),
    Case(
        "shop__apispec.json",
        "get_openai_search",
        "GET https://server.shop.app/openai/search?query=boots&num_results=3",
        {"query": "boots", "num_results": 3},
    ),
    Case(
        "slack__apispec.json",
        "post_ai_alpha_search_messages",
        'POST https://slack.com/api/ai.alpha.search.messages {"query": "lunch"}',
        {"query": "lunch"},
    ),
    Case(
        "speak__apispec.json",
        "post_v1_public_openai_explain-task",
        "POST https://api.speak.com/v1/public/openai/explain-task "
        '{"task_description": "order tea", "learning_language": "Spanish"}',
        {"task_description": "order tea", "learning_language": "Spanish"},
    ),
    Case(
        "urlbox__apispec.json",
        "post_v1_render_sync",
        'POST https://api.urlbox.io/v1/render/sync {"url": "https://example.org", "format": "png"}',
        {"url": "https://example.org", "format": "png"},
    ),
    Case("wellknown__apispec.json", "get_plugins", "GET https://wellknown.ai/api/plugins", {}),
    Case(
        "wolframalpha__apispec.json",
        "get_api_v1_llm-api",
        "GET https://www.wolframalpha.com/api/v1/llm-api?input=2%2B2",
        {"input": "2+2"},
    ),
    Case(
        "wolframcloud__apispec.json",
        "get_api_v1_result_jsp",
        "GET https://www.wolframalpha.com/api/v1/result.jsp?i=height+of+Everest",
        {"i": "height of Everest"},
    ),
    Case(
        "zapier__apispec.json",
        "get_api_v1_exposed",
        "GET https://nla.zapier.com/api/v1/exposed/",
        {},
    ),
)


def write_mirror(root: Path) -> None:
    """Write each document and a manifest for it."""
    for case in CASES:
        folder = root / HOST / case.file
        folder.mkdir(parents=True)
        (folder / "openapi").write_bytes((DOCUMENTS / case.file).read_bytes())
        manifest = {
            "schema_version": "v1",
            "name_for_model": case.file.replace(".", "_"),
            "name_for_human": f"Plugin <{case.file}>",
            "description_for_model": "One of twenty.",
            "api": {"type": "openapi", "url": f"https://{HOST}/{case.file}/openapi"},
        }
        (folder / "manifest.json").write_bytes(orjson.dumps(manifest))


def job() -> Message:
    """Return a job that asks for each document among all of them, by tools and by two questions."""
    llm = {"provider": "OpenAI", "model_name": "scripted"}
    return {
        "version": "1",
        "name": "documents",
        "test_plugin": {"manifest_url": CASES[0].manifest},
        "plugin_groups": [{"name": "all", "plugins": [{"manifest_url": case.manifest} for case in CASES]}],
        "permutations": [
            {
                "name": who,
                "llm": llm,
                "tool_selector": {"provider": who, "pipeline_name": "default", "plugin_group_name": "all"},
            }
            for who in ("OpenAI", "Imprompt")
        ],
        "test_cases": [
            {
                "name": case.file,
                "type": "api_signature_selector",
                "prompt": case.prompt,
                "expected_plugin_used": case.manifest,
                "expected_api_used": case.request.split()[1].partition("?")[0],
                "expected_method": case.request.split()[0].lower(),
                "expected_parameters": case.parameters,
                "test_plugin": {"manifest_url": case.manifest},
            }
            for case in CASES
        ],
    }


def script() -> list[Message]:
    rules: list[Message] = []
    for case in CASES:
        called = [{"name": case.function, "arguments": case.parameters}]
        for system, answer in (
            ("<VERB> <URL>", {"reply": case.request}),
            ("Action: None", {"reply": f"Action: Plugin <{case.file}>"}),
        ):
            rules.append({"match": {"system_contains": system, "last_contains": case.prompt}, **answer})
        rules.append({"match": {"last_contains": case.prompt}, "tool_calls": called})
    return rules


@pytest_asyncio.fixture
async def server(mongod_url: str, model: tuple[ScriptedModel, str], tmp_path: Path) -> AsyncIterator[Server]:
    """Run a server whose network is a folder with the documents, and a model that knows them."""
    write_mirror(tmp_path)
    model[0].script(script())
    async with running(settings_for(mongod_url, model[1], url_mirror=tmp_path)) as (url, app):
        yield Server(url=url, app=app, model=model[0], model_url=model[1])


def test_every_document_has_a_case() -> None:
    files = {path.name for path in DOCUMENTS.iterdir() if path.suffix in (".json", ".yaml")}
    assert {case.file for case in CASES} == files
    assert len(files) == 20


async def test_each_is_chosen_and_mapped(server: Server) -> None:
    async with talk(server.url, server.token(new(), role="author"), job()) as socket:
        results, summary = await socket.whole()
    wrong = [
        (r["permutation_name"], r["test_case_name"], r["detected"], r["error"])
        for r in results
        if r["verdict"] != "Passed" or r["match_score"] != 1 or r["parameter_mapped_percentage"] != 100
    ]
    assert wrong == []
    assert summary["summary"]["accuracy_step_c"] == len(results) == 2 * len(CASES)
    asked = [request for request in server.model.requests if request.tools]
    for request in asked:
        assert len(request.tools) == len(set(request.tools)) > 40
