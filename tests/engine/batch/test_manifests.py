"""Loads plugins from manifests of every kind, over HTTP and from a mirror."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from schemas.batch import BatchRequest
from schemas.envelope import JsonObject
from server.engine.batch.plugins.fetching import Fetcher
from server.engine.batch.plugins.loading import PluginLoader
from server.errors import BadRequest, GreenroomError, NotFound, Upstream
from tests.engine.batch.web import Site, site

REAL = Path(__file__).parents[2] / "data" / "openapi"
KLARNA = "https://www.klarna.com/us/shopping/public/openai/v0/api-docs/"
PETS: JsonObject = {
    "openapi": "3.0.3",
    "info": {"title": "Pets", "description": "All about pets."},
    "servers": [{"url": "/v1"}],
    "paths": {
        "/pets": {"get": {"summary": "List"}, "post": {"summary": "Add"}},
        "/pets/{id}": {"get": {}, "delete": {}},
    },
}


@pytest.fixture
async def web_site() -> AsyncIterator[Site]:
    async with site() as served:
        served.text("/docs/openapi.json", json.dumps(PETS))
        yield served


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    async with aclosing(Fetcher(mirror=None, private=True)) as fetcher:
        yield fetcher


@pytest.fixture
def loader(fetcher: Fetcher) -> PluginLoader:
    return PluginLoader(fetcher)


def functions(plugin: Any) -> list[str]:
    return [operation.name for operation in plugin.operations]


async def test_an_openai_manifest_is_read(loader: PluginLoader, web_site: Site) -> None:
    manifest = {
        "schema_version": "v1",
        "name_for_human": "Pet Shop",
        "name_for_model": "pet_shop",
        "description_for_human": "for people",
        "description_for_model": "Finds pets.",
        "api": {"type": "openapi", "url": "../docs/openapi.json"},
    }
    url = web_site.text("/.well-known/ai-plugin.json", json.dumps(manifest))
    plugin = await loader.load(url)
    assert (plugin.manifest_url, plugin.name, plugin.names) == (url, "Pet Shop", ("Pet Shop", "pet_shop"))
    assert plugin.description == "Finds pets."
    assert functions(plugin) == ["get_pets", "post_pets", "get_pets_id", "delete_pets_id"]
    assert plugin.operations[2].url == f"{web_site.url}/v1/pets/{{id}}"
    assert json.loads(plugin.document) == PETS


HINTS = {"human_usage_examples": ["Show me dogs"], "prompt_signature_helpers": ["id is a number"]}


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ({"/pets": {"get": HINTS}}, ["get_pets"]),
        ({"/pets/": {"GET": HINTS}, "/nowhere": {"get": {}}}, ["get_pets"]),
        ({"/v1/pets": {"get": HINTS}}, ["get_pets"]),
        ({"/pets": HINTS}, ["get_pets", "post_pets"]),
        ({"/pets": None}, ["get_pets", "post_pets"]),
        ({"/pets": ["get", "post"]}, ["get_pets", "post_pets"]),
        ({"/pets/{pet}": {"delete": {}}}, ["delete_pets_id"]),
        ([{"path": "/pets", "method": "POST", **HINTS}], ["post_pets"]),
        ([{"/pets": {"post": HINTS}}], ["post_pets"]),
        (["GET /pets", "/pets/{id}"], ["get_pets", "get_pets_id", "delete_pets_id"]),
        ({}, ["get_pets", "post_pets", "get_pets_id", "delete_pets_id"]),
        (None, ["get_pets", "post_pets", "get_pets_id", "delete_pets_id"]),
    ],
)
async def test_an_openplugin_manifest_allows_operations(
    loader: PluginLoader, web_site: Site, allowed: object, expected: list[str]
) -> None:
    manifest = {"name": "Pets", "description": "d", "openapi_doc_url": "/docs/openapi.json"}
    url = web_site.text("/m.json", json.dumps({**manifest, "plugin_operations": allowed}))
    plugin = await loader.load(url)
    assert functions(plugin) == expected
    if "human_usage_examples" in json.dumps(allowed):
        assert plugin.operations[0].examples == ("Show me dogs",)
        assert plugin.operations[0].helpers == ("id is a number",)
    shown = json.loads(plugin.document)["paths"]
    methods = sum(len(item) for item in shown.values())
    assert methods == len(expected), "models see what the manifest allows"


async def test_a_manifest_that_allows_nothing_of_its_document_is_refused(
    loader: PluginLoader, web_site: Site
) -> None:
    manifest = {"openapi_doc_url": "/docs/openapi.json", "plugin_operations": {"/cats": {"get": {}}}}
    with pytest.raises(BadRequest, match=r"it names /cats, the document has /pets, /pets/\{id\}"):
        await loader.load(web_site.text("/m.json", json.dumps(manifest)))


async def test_an_openapi_document_is_a_manifest(loader: PluginLoader, web_site: Site) -> None:
    plain = await loader.load(f"{web_site.url}/docs/openapi.json")
    assert (plain.name, plain.names, plain.description) == ("Pets", ("Pets",), "All about pets.")
    extended = {
        **PETS,
        "x-openplugin": {"name": "Pet Plugin", "description": "Finds pets.", "contactEmail": "a@b.test"},
        "paths": {
            "/pets": {
                "get": {
                    "x-human-usage-examples": ["Show me dogs"],
                    "x-helpers": ["be brief"],
                    "parameters": [{"name": "q", "in": "query", "x-helpers": ["a kind of pet"]}],
                }
            }
        },
    }
    plugin = await loader.load(web_site.text("/x.json", json.dumps(extended)))
    assert (plugin.name, plugin.names, plugin.description) == ("Pet Plugin", ("Pet Plugin",), "Finds pets.")
    assert plugin.operations[0].examples == ("Show me dogs",)
    assert plugin.operations[0].helpers == ("be brief", "q: a kind of pet")
    bare = await loader.load(web_site.text("/bare.json", '{"paths": {}}'))
    assert (bare.name, bare.operations) == ("127.0.0.1", ())


async def test_yaml_is_read_whatever_its_type(loader: PluginLoader, web_site: Site) -> None:
    url = web_site.text("/robot", (REAL / "robot_openapi.yaml").read_bytes(), content_type="text/plain")
    manifest = f"name_for_human: Robot\napi:\n  url: {url}\nupdated: 2023-01-01\n"
    plugin = await loader.load(web_site.text("/m.yaml", manifest, content_type="text/yaml"))
    assert plugin.name == "Robot"
    assert len(plugin.operations) == 6


async def test_addresses_start_where_redirects_led(loader: PluginLoader, web_site: Site) -> None:
    web_site.text("/moved/to/m.json", json.dumps({"name": "x", "api": {"url": "../../docs/openapi.json"}}))
    plugin = await loader.load(web_site.redirect("/m.json", "/moved/to/m.json"))
    assert plugin.manifest_url == f"{web_site.url}/m.json"
    assert plugin.operations[0].url == f"{web_site.url}/v1/pets"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{}", "is no manifest: it needs api.url"),
        ('{"api": {"url": 5}}', "is no manifest"),
        ('{"paths": []}', "is no manifest"),
        ('{"api": {"url": "http://[bad"}}', "at what is no address"),
        ('{"api": {"url": "ftp://host/x"}}', "is no web address"),
        ('{"api": {"url": "/m.json"}}', "is no OpenAPI document"),
        ("<html>secret</html>", "holds no JSON or YAML object"),
    ],
)
async def test_what_is_no_manifest_is_refused(
    loader: PluginLoader, web_site: Site, text: str, sentence: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        await loader.load(web_site.text("/m.json", text))
    assert sentence in caught.value.message
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("url", ["http://[bad/m.json", "https://", "http://host:99999/m.json"])
async def test_what_is_no_address_is_refused(fetcher: Fetcher, url: str) -> None:
    with pytest.raises(BadRequest, match="address"):
        await PluginLoader(fetcher, headers={"Authorization": "Bearer the-key"}, home=url).load(url)


async def test_a_missing_document_is_named(loader: PluginLoader, web_site: Site) -> None:
    with pytest.raises(NotFound, match=f"There is nothing at {web_site.url}/gone.json"):
        await loader.load(web_site.text("/m.json", '{"openapi_doc_url": "gone.json"}'))


async def test_other_documents_are_fetched_when_references_need_them(
    loader: PluginLoader, web_site: Site
) -> None:
    document = {
        "openapi": "3.1.0",
        "paths": {
            "/x": {
                "get": {
                    "parameters": [{"$ref": "parts.yaml#/Limit"}],
                    "responses": {"200": {"$ref": "https://elsewhere.invalid/never-needed.json"}},
                }
            }
        },
    }
    web_site.text("/docs/parts.yaml", "Limit: {name: limit, in: query, schema: {$ref: types.json#/Count}}")
    web_site.text("/docs/types.json", '{"Count": {"type": "integer"}}')
    plugin = await loader.load(web_site.text("/docs/x.json", json.dumps(document)))
    assert plugin.operations[0].schema["properties"] == {"limit": {"type": "integer"}}
    broken = json.dumps(document).replace("parts.yaml", "gone.yaml")
    with pytest.raises(NotFound, match=r"refers to another document\. There is nothing at"):
        await loader.load(web_site.text("/docs/y.json", broken))
    endless = {"paths": {"/x": {"get": {"parameters": [{"$ref": f"{n}.json"} for n in range(30)]}}}}
    for number in range(30):
        web_site.text(f"/docs/{number}.json", "{}")
    with pytest.raises(BadRequest, match="more than 20 other documents"):
        await loader.load(web_site.text("/docs/z.json", json.dumps(endless)))


async def test_each_address_is_fetched_once_for_a_job(loader: PluginLoader, web_site: Site) -> None:
    urls = [
        web_site.text(f"/{n}.json", json.dumps({"name": str(n), "openapi_doc_url": "/docs/openapi.json"}))
        for n in range(5)
    ]
    groups = await asyncio.gather(*(loader.group([*urls, urls[0]]) for _ in range(3)))
    assert [[plugin.name for plugin in group] for group in groups] == [["0", "1", "2", "3", "4"]] * 3
    assert sorted(web_site.paths()) == sorted([f"/{n}.json" for n in range(5)] + ["/docs/openapi.json"])


def fails(web_site: Site, *, times: int, **headers: str) -> str:
    """Return the address of a manifest that is away for the first times it is asked for."""
    left = iter(range(times))

    async def answer(_: web.Request) -> web.StreamResponse:
        if next(left, None) is None:
            return web.json_response(PETS)
        return web.Response(status=503, headers=headers)

    return web_site.on("/m.json", answer)


async def test_a_fetch_that_fails_for_now_is_tried_again(fetcher: Fetcher, web_site: Site) -> None:
    loader = PluginLoader(fetcher, backoff=0.01)
    plugins = await loader.group([fails(web_site, times=2), f"{web_site.url}/docs/openapi.json"])
    assert [plugin.name for plugin in plugins] == ["Pets", "Pets"]
    assert web_site.paths().count("/m.json") == 3


async def test_a_host_says_how_long_to_wait(fetcher: Fetcher, web_site: Site) -> None:
    url = fails(web_site, times=1, **{"Retry-After": "1"})
    with pytest.raises(Upstream) as raised:
        await fetcher.get(url)
    assert raised.value.retry_after == 1
    url = fails(web_site, times=2, **{"Retry-After": "0"})
    async with asyncio.timeout(60):
        assert (await PluginLoader(fetcher, backoff=1000).load(url)).name == "Pets"


async def test_the_last_failure_is_remembered_for_the_job(fetcher: Fetcher, web_site: Site) -> None:
    url, loader = fails(web_site, times=3), PluginLoader(fetcher, backoff=0.01)
    groups = [loader.group([f"{web_site.url}/docs/openapi.json", url]) for _ in range(3)]
    failures = await asyncio.gather(*groups, return_exceptions=True)
    assert {(type(failure), str(failure)) for failure in failures} == {
        (Upstream, f"{url} fails with HTTP 503; try again")
    }
    with pytest.raises(Upstream, match="fails with HTTP 503"):
        await loader.load(url)
    assert web_site.paths().count("/m.json") == 3
    assert (await PluginLoader(fetcher).load(url)).name == "Pets"


async def test_what_no_other_try_mends_is_fetched_once(loader: PluginLoader, web_site: Site) -> None:
    for _ in range(2):
        with pytest.raises(NotFound):
            await loader.load(f"{web_site.url}/gone.json")
    assert web_site.paths() == ["/gone.json"]


async def test_who_is_cancelled_leaves_the_others_their_plugin(loader: PluginLoader, web_site: Site) -> None:
    asked, release = asyncio.Event(), asyncio.Event()

    async def answer(_: web.Request) -> web.StreamResponse:
        asked.set()
        await release.wait()
        return web.json_response(PETS)

    url = web_site.on("/m.json", answer)
    first, second = (asyncio.create_task(loader.load(url)) for _ in range(2))
    await asked.wait()
    first.cancel()
    release.set()
    assert (await second).name == "Pets"
    assert len(web_site.asked) == 1


def request(test_plugin: str) -> BatchRequest:
    return BatchRequest.model_validate(
        {
            "name": "job",
            "test_plugin": {"manifest_url": test_plugin},
            "plugin_groups": [{"name": "g", "plugins": [{"manifest_url": test_plugin}]}],
            "permutations": [
                {
                    "name": "p",
                    "llm": {"provider": "OpenAI", "model_name": "m"},
                    "tool_selector": {
                        "provider": "OpenAI",
                        "pipeline_name": "default",
                        "plugin_group_name": "g",
                    },
                }
            ],
            "test_cases": [{"name": "t", "type": "plugin_selector", "prompt": "p"}],
        }
    )


async def test_the_key_goes_to_manifests_at_the_test_plugins_origin_only(
    fetcher: Fetcher, web_site: Site
) -> None:
    async with site() as stranger:
        stranger.text("/m.json", json.dumps(PETS))
        test_plugin = web_site.text("/m.json", '{"name": "a", "openapi_doc_url": "/docs/openapi.json"}')
        neighbour = web_site.text("/n.json", json.dumps({"openapi_doc_url": f"{stranger.url}/m.json"}))
        away = web_site.redirect("/away.json", f"{stranger.url}/m.json")
        loader = PluginLoader.for_job(fetcher, request(test_plugin), key=SecretStr("the-key"))
        await loader.group([test_plugin, neighbour, away, f"{stranger.url}/m.json"])
        sent = {r.path: r.headers.get("Authorization") for r in web_site.asked}
        assert sent == {
            "/m.json": "Bearer the-key",
            "/n.json": "Bearer the-key",
            "/away.json": "Bearer the-key",
            "/docs/openapi.json": None,
        }
        assert {r.headers.get("Authorization") for r in stranger.asked} == {None}


async def test_no_key_is_sent_without_one(fetcher: Fetcher, web_site: Site) -> None:
    url = f"{web_site.url}/docs/openapi.json"
    for key in (SecretStr(""), None):
        await PluginLoader.for_job(fetcher, request(url), key=key).load(url)
    assert {r.headers.get("Authorization") for r in web_site.asked} == {None}


async def test_no_key_goes_over_plain_http_to_the_internet() -> None:
    """Nothing is there to be fetched; what matters is what would be sent."""
    async with aclosing(Fetcher(mirror=None, private=False)) as strict:
        for scheme, sent in (("http", False), ("https", True)):
            url = f"{scheme}://host.invalid/m.json"
            loader = PluginLoader.for_job(strict, request(url), key=SecretStr("the-key"))
            assert bool(loader._headers_for(url)) is sent


async def test_a_mirror_serves_a_whole_plugin(tmp_path: Path) -> None:
    folder = tmp_path / "www.klarna.com/us/shopping/public/openai/v0/api-docs"
    folder.mkdir(parents=True)
    (folder / "index.json").write_bytes((REAL / "klarna__apispec.json").read_bytes())
    manifest = tmp_path / "assistant-management-data.s3.amazonaws.com" / "Klarna_Shopping.json"
    manifest.parent.mkdir()
    manifest.write_text(json.dumps({"name": "Klarna Shopping", "openapi_doc_url": KLARNA}))
    async with aclosing(Fetcher(mirror=tmp_path, private=False)) as fetcher:
        loader = PluginLoader(fetcher)
        plugin = await loader.load("https://assistant-management-data.s3.amazonaws.com/Klarna_Shopping.json")
        assert plugin.operations[0].url == "https://www.klarna.com/us/shopping/public/openai/v0/products"
        with pytest.raises(GreenroomError, match=r"The mirror has no file host\.test/m\.json"):
            await loader.load("https://host.test/m.json")
