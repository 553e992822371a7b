"""Turns OpenAPI documents into operations: real documents, and the corners of the standard."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.envelope import JsonObject
from server.engine.batch.plugins.documents import References, Remote, read_document
from server.engine.batch.plugins.operations import Source, read_operations, unique_name, unique_names
from server.engine.batch.plugins.plugin import Operation, Plugin
from tests.engine.batch.strict_tools import problems

REAL = Path(__file__).parents[2] / "data" / "openapi"
URL = "https://api.test/docs/openapi.json"
VALID_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

# counted in the documents: the methods under their paths
COUNTS = {
    "apis-guru__apispec.json": 7,
    "biztoc__apispec.json": 1,
    "calculator__apispec.json": 2,
    "datasette__apispec.json": 1,
    "freetv-app__apispec.json": 1,
    "joinmilo__apispec.json": 1,
    "klarna__apispec.json": 1,
    "milo__apispec.json": 1,
    "quickchart__apispec.json": 4,
    "robot__apispec.yaml": 6,
    "robot_openapi.yaml": 6,
    "schooldigger__apispec.json": 7,
    "shop__apispec.json": 2,
    "slack__apispec.json": 1,
    "speak__apispec.json": 3,
    "urlbox__apispec.json": 1,
    "wellknown__apispec.json": 2,
    "wolframalpha__apispec.json": 2,
    "wolframcloud__apispec.json": 3,
    "zapier__apispec.json": 2,
}


def operations_of(document: JsonObject, *, url: str = URL, **others: JsonObject) -> list[Operation]:
    references = References()
    references.add(url, document)
    for name, other in others.items():
        references.add(f"https://api.test/docs/{name}.json", other)
    return read_operations(Source(document=document, url=url, references=references))


def real(name: str) -> dict[str, Operation]:
    document = read_document((REAL / name).read_bytes(), url=URL)
    return {operation.name: operation for operation in operations_of(document)}


def one(operation: JsonObject, **document: Any) -> Operation:
    """Return the only operation of a document, `post /things`."""
    whole = {"openapi": "3.0.3", "paths": {"/things": {"post": operation}}, **document}
    (found,) = operations_of(whole)
    assert problems(found.schema) == []
    return found


def body(schema: JsonObject, **document: Any) -> Operation:
    return one({"requestBody": {"content": {"application/json": {"schema": schema}}}}, **document)


def test_the_table_names_every_real_document() -> None:
    assert {p.name for p in REAL.iterdir() if p.suffix in (".json", ".yaml")} == COUNTS.keys()


@pytest.mark.parametrize("name", COUNTS)
def test_a_real_document_converts(name: str) -> None:
    found = real(name)
    assert len(found) == COUNTS[name]
    assert all(VALID_NAME.fullmatch(function) for function in found)
    for operation in found.values():
        assert problems(operation.schema) == [], operation.name
        assert operation.servers
        assert not operation.servers[0].endswith("/")
        assert [p.name for p in operation.parameters] == list(operation.schema["properties"])
        assert [p.name for p in operation.parameters if p.required] == operation.schema["required"]


def test_all_real_documents_together_have_different_names() -> None:
    plugins = [_plugin(name, list(real(name).values())) for name in COUNTS]
    named = unique_names(plugins)
    assert len(named) == sum(COUNTS.values()) == 54
    assert all(VALID_NAME.fullmatch(function) for function in named)
    assert named["get_askMilo"][0].name == "joinmilo__apispec.json"
    assert named["get_askMilo_2"][0].name == "milo__apispec.json"


def _plugin(name: str, operations: list[Operation]) -> Plugin:
    return Plugin(
        manifest_url=f"https://{name}",
        name=name,
        names=(name,),
        description="",
        operations=tuple(operations),
        document="{}",
    )


def test_klarna_is_read_as_it_stands() -> None:
    operation = real("klarna__apispec.json")["get_public_openai_v0_products"]
    assert operation.url == "https://www.klarna.com/us/shopping/public/openai/v0/products"
    assert operation.summary == "API for fetching Klarna product information"
    assert operation.schema == {
        "type": "object",
        "properties": {
            "q": {"type": "string", "description": "query, must be between 2 and 100 characters"},
            "size": {"type": "integer", "description": "number of products returned"},
            "budget": {
                "type": "integer",
                "description": "maximum price of the matching product in local currency, filters results",
            },
        },
        "required": ["q"],
    }


def test_swagger_2_parameters_are_read() -> None:
    found = real("schooldigger__apispec.json")
    schools = found["get_v2_0_schools"]
    assert schools.url == "https://api.schooldigger.com/v2.0/schools"
    types = {p.name: (p.place, p.required, p.schema["type"]) for p in schools.parameters}
    assert types["st"] == ("query", True, "string")
    assert types["isMagnet"] == ("query", False, "boolean")
    assert types["nearLatitude"] == ("query", False, "number")
    assert types["page"] == ("query", False, "integer")
    one_school = {p.name: p.place for p in found["get_v2_0_schools_id"].parameters}
    assert one_school == {"id": "path", "appID": "query", "appKey": "query"}


def test_recursion_becomes_any_object() -> None:
    recycle = real("robot_openapi.yaml")["delete_recycle"].schema
    cue = recycle["properties"]["public"]["items"]
    assert cue["properties"]["other_cues"]["items"]["type"] == "object"
    assert "properties" not in cue["properties"]["other_cues"]["items"]
    assert recycle["required"] == ["public", "pw"]


def test_required_at_a_property_and_alternatives_of_a_body_are_understood() -> None:
    search = real("slack__apispec.json")["post_ai_alpha_search_messages"]
    assert search.schema == {
        "type": "object",
        "properties": {"query": {"type": "string", "description": "Search query"}},
        "required": ["query"],
    }
    render = real("urlbox__apispec.json")["post_v1_render_sync"].schema
    assert {"url", "html", "format"} <= render["properties"].keys()
    assert render["required"] == []  # one of url and html, which a flat object cannot say


def test_parameters_of_a_path_are_replaced_by_those_of_its_operation() -> None:
    item = {
        "parameters": [
            {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
            {"name": "q", "in": "query", "schema": {"type": "string"}},
        ],
        "get": {"parameters": [{"name": "q", "in": "query", "schema": {"type": "integer"}}]},
    }
    (found,) = operations_of({"openapi": "3.1.0", "paths": {"/a/{id}/{other}": item}})
    assert {p.name: (p.place, p.schema["type"], p.required) for p in found.parameters} == {
        "id": ("path", "string", True),
        "q": ("query", "integer", False),
        "other": ("path", "string", True),  # nobody declares it
    }
    assert found.name == "get_a_id_other"


def test_a_name_that_occurs_twice_gets_its_place() -> None:
    found = one(
        {
            "parameters": [
                {"name": "id", "in": "query", "schema": {"type": "integer"}},
                {"name": "id", "in": "header", "schema": {"type": "string"}},
                {"name": "Authorization", "in": "header", "schema": {"type": "string"}},
            ],
            "requestBody": {
                "content": {
                    "text/plain": {"schema": {"type": "string"}},
                    "application/json; charset=utf-8": {
                        "schema": {"properties": {"id": {"type": "boolean"}}, "required": ["id"]}
                    },
                }
            },
        }
    )
    places = {p.name: (p.place, p.schema["type"]) for p in found.parameters}
    assert places == {
        "id": ("query", "integer"),
        "header_id": ("header", "string"),
        "body_id": ("body", "boolean"),
    }
    assert found.schema["required"] == ["body_id"]


@pytest.mark.parametrize("schema", [{"type": "array", "items": {"type": "string"}}, {"type": "string"}, {}])
def test_a_body_that_is_no_object_is_one_parameter(schema: JsonObject) -> None:
    assert body(schema).schema["properties"] == {"body": schema}


def test_forms_are_bodies() -> None:
    form = {"type": "object", "properties": {"text": {"type": "string"}}}
    found = one({"requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": form}}}})
    assert [(p.name, p.place) for p in found.parameters] == [("text", "body")]
    swagger = {
        "swagger": "2.0",
        "parameters": {"Size": {"name": "size", "in": "query", "type": "integer", "maximum": 9}},
        "definitions": {"Pet": {"properties": {"name": {"type": "string"}}, "required": ["name"]}},
        "paths": {
            "/form": {
                "post": {"parameters": [{"name": "file", "in": "formData", "type": "file", "required": True}]}
            },
            "/pet": {
                "post": {
                    "parameters": [
                        {"$ref": "#/parameters/Size"},
                        {"name": "pet", "in": "body", "schema": {"$ref": "#/definitions/Pet"}},
                    ]
                }
            },
        },
    }
    upload, pet = operations_of(swagger)
    assert [(p.name, p.place, p.schema, p.required) for p in upload.parameters] == [
        ("file", "body", {"type": "string"}, True)
    ]
    assert pet.schema["properties"] == {
        "size": {"type": "integer", "maximum": 9},
        "name": {"type": "string"},
    }
    assert pet.servers == ("https://api.test",)


def test_all_of_is_merged() -> None:
    pet = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name", "kind"]}
    found = body(
        {"allOf": [{"$ref": "#/components/schemas/Pet"}, {"properties": {"kind": {"enum": ["cat"]}}}]},
        components={"schemas": {"Pet": pet}},
    )
    assert found.schema["properties"] == {"name": {"type": "string"}, "kind": {"enum": ["cat"]}}
    assert found.schema["required"] == ["name", "kind"]


def test_words_of_openapi_are_translated_or_left_out() -> None:
    given = {
        "a": {"type": "string", "nullable": True, "enum": ["x"], "example": "x", "xml": {}},
        "b": {"type": "integer", "minimum": 1, "exclusiveMinimum": True, "maximum": 5, "x-more": 1},
        "c": {"type": "array"},
        "d": {"type": "String", "readOnly": True},
        "e": {"type": "whatever", "description": "anything"},
        "f": {"$ref": "#/components/schemas/Nowhere", "description": "lost"},
        "g": {"nullable": True, "anyOf": [{"type": "string"}]},
    }
    found = body({"type": "object", "properties": given, "required": ["a", "d", "nope"]})
    assert found.schema["properties"] == {
        "a": {"type": ["string", "null"], "enum": ["x", None]},
        "b": {"type": "integer", "exclusiveMinimum": 1, "maximum": 5},
        "c": {"type": "array", "items": {}},
        "e": {"description": "anything"},
        "f": {"description": "lost"},
        "g": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    }
    assert found.schema["required"] == ["a"]


def test_openapi_3_1_is_json_schema() -> None:
    given = {
        "a": {"type": ["string", "null"], "examples": ["x"], "exclusiveMinimum": 3},
        "b": {"$ref": "#/components/schemas/B", "description": "beside a reference"},
        "c": {"const": "only"},
        "d": True,
    }
    found = body(
        {"type": "object", "properties": given},
        openapi="3.1.0",
        components={"schemas": {"B": {"type": "number", "description": "its own"}}},
        webhooks={"new": {"post": {}}},
    )
    assert found.schema["properties"] == {
        "a": {"type": ["string", "null"], "exclusiveMinimum": 3},
        "b": {"type": "number", "description": "beside a reference"},
        "c": {"const": "only"},
        "d": {},
    }


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, ["https://api.test"]),
        ({"servers": []}, ["https://api.test"]),
        ({"servers": [{"url": "/"}]}, ["https://api.test"]),
        ({"servers": [{"url": "/v1/"}, {"url": "v2"}]}, ["https://api.test/v1", "https://api.test/docs/v2"]),
        (
            {"servers": [{"url": "https://{at}.x/{v}", "variables": {"at": {"default": "eu"}, "v": {}}}]},
            ["https://eu.x/{v}"],
        ),
        ({"servers": [{"url": "http://[bad"}, {}, "x"]}, ["https://api.test"]),
        (
            {"swagger": "2.0", "host": "h.x:8080", "basePath": "/v1/", "schemes": ["http", "https", "ws"]},
            ["https://h.x:8080/v1", "http://h.x:8080/v1"],
        ),
        ({"swagger": "2.0", "basePath": "/"}, ["https://api.test"]),
    ],
)
def test_servers_are_worked_out(document: JsonObject, expected: list[str]) -> None:
    (found,) = operations_of({"paths": {"/x": {"get": {}}}, **document})
    assert list(found.servers) == expected


def test_the_nearest_servers_count() -> None:
    item = {"servers": [{"url": "https://item"}], "get": {}, "put": {"servers": [{"url": "https://own"}]}}
    found = operations_of({"openapi": "3.0.0", "servers": [{"url": "https://all"}], "paths": {"/x": item}})
    assert [operation.url for operation in found] == ["https://item/x", "https://own/x"]


def test_path_items_and_parameters_of_other_documents_are_followed() -> None:
    other = {
        "item": {"get": {"parameters": [{"$ref": "#/q"}]}},
        "q": {"name": "q", "in": "query", "schema": {"$ref": "#/text"}},
        "text": {"type": "string"},
    }
    document = {"openapi": "3.1.0", "paths": {"/x": {"$ref": "other.json#/item"}}}
    with pytest.raises(Remote) as wanted:
        operations_of(document)
    assert wanted.value.url == "https://api.test/docs/other.json"
    (found,) = operations_of(document, other=other)
    assert found.schema["properties"] == {"q": {"type": "string"}}


def test_names_are_cut_and_stay_different() -> None:
    paths: JsonObject = {"/" + "a" * 100 + end: {"get": {}} for end in ("x", "y")}
    names = [operation.name for operation in operations_of({"paths": paths})]
    assert [len(name) for name in names] == [64, 64]
    assert names[1].endswith("_2")
    assert unique_name("/", set()) == "operation"
    assert unique_name("get_/ü/ä-b", set()) == "get_-b"


def test_a_wide_schema_is_cut() -> None:
    schemas: JsonObject = {f"S{n}": {"properties": {}} for n in range(30)}
    for number in range(29):
        inner = {"$ref": f"#/components/schemas/S{number + 1}"}
        schemas[f"S{number}"]["properties"] = dict.fromkeys("abcdefgh", inner)
    found = body({"$ref": "#/components/schemas/S0"}, components={"schemas": schemas})
    assert len(str(found.schema)) < 200_000
    assert found.schema["properties"].keys() == set("abcdefgh")


# fmt: off
WORDS = st.sampled_from([
    "$ref", "type", "properties", "required", "items", "allOf", "anyOf", "oneOf", "enum", "nullable", "not",
    "additionalProperties", "minimum", "exclusiveMinimum", "description", "schema", "in", "name", "content",
    "parameters", "requestBody", "application/json", "servers", "url", "get", "post", "readOnly", "default",
])
# fmt: on
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.sampled_from(["#/paths", "#", "#/paths/~1x", "object", "array", "string", "query", "body", "", "/v1"]),
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(JUNK, JUNK, JUNK)
@example(None, None, {"$ref": "object"})
def test_junk_is_read_without_a_fault(item: object, operation: object, schema: object) -> None:
    junk = {
        "servers": item,
        "paths": {
            "/x": item,
            "/y": {"get": operation, "parameters": item},
            "/z": {"post": {"requestBody": {"content": {"application/json": {"schema": schema}}}}},
        },
    }
    try:
        read = operations_of(junk)
    except Remote:
        return  # another document has to be fetched first
    for found in read:
        assert problems(found.schema) == []
