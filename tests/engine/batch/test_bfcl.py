"""The shipped job of the Berkeley leaderboard: made again it is the same, and answers are scored right."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from schemas.batch import BatchRequest, TestCase
from server.engine.batch.bfcl import HOST, convert, read_questions
from server.engine.batch.matching import find_operation, same_plugin
from server.engine.batch.plugins.fetching import Fetcher
from server.engine.batch.plugins.loading import PluginLoader
from server.engine.batch.plugins.plugin import Operation, Plugin
from server.engine.batch.scoring import Score, score
from server.engine.batch.selectors.selection import Detected, Selected
from server.errors import BadRequest

ROOT = Path(__file__).parents[3]
CONTENT = ROOT / "content" / "batch" / "bfcl"
SOURCE = ROOT / "tests" / "data" / "bfcl"
NAME = "BFCL_v4_multiple"
JOB = BatchRequest.model_validate_json((CONTENT / "job.json").read_bytes())
Loaded = dict[str, Plugin]


def source(name: str) -> bytes:
    return (SOURCE / f"{name}.json").read_bytes()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plugins() -> Loaded:
    """Return the plugins of all cases, loaded as a job loads them, with nothing but the shipped files."""
    fetcher = Fetcher(mirror=CONTENT / "mirror", private=False)
    try:
        loader = PluginLoader(fetcher)
        urls = [group.plugins[0].manifest_url for group in JOB.plugin_groups]
        loaded = await loader.group(urls)
        return {plugin.manifest_url: plugin for plugin in loaded}
    finally:
        await fetcher.aclose()


def plugin_of(case: TestCase, plugins: Loaded) -> Plugin:
    assert case.expected_plugin_used is not None
    return plugins[case.expected_plugin_used]


def operation_of(case: TestCase, plugins: Loaded) -> Operation:
    found = find_operation([plugin_of(case, plugins)], url=str(case.expected_api_used), method="post")
    assert found is not None
    return found.operation


def scored(
    case: TestCase, plugins: Loaded, arguments: dict[str, Any], *, by: Operation | None = None
) -> Score:
    call = Detected(
        plugin=plugin_of(case, plugins),
        operation=by or operation_of(case, plugins),
        target="",
        parameters=arguments,
    )
    return score(
        case,
        test_plugin_url=JOB.test_plugin.manifest_url,
        selected=Selected(final_output=None, detected=[call]),
        match=JOB.config.parameter_match,
    )


def value_of(option: Any) -> Any:
    """Return a value that fits an accepted one; inside of objects there are lists of such again."""
    if isinstance(option, dict):
        return {name: value_of(given(options)[0]) for name, options in option.items() if given(options)}
    return [value_of(item) for item in option] if isinstance(option, list) else option


def given(options: list[Any]) -> list[Any]:
    return [option for option in options if option != ""]


def answer(case: TestCase) -> dict[str, Any]:
    """Return arguments made of the first accepted values."""
    accepted = case.expected_parameters or {}
    return {name: value_of(given(options)[0]) for name, options in accepted.items() if given(options)}


def wrong(options: list[Any]) -> Iterator[Any]:
    """Yield values that are near the accepted ones, and wrong."""
    yield None
    yield {"value": "no"}
    chosen = [value_of(option) for option in given(options)]
    if not chosen or isinstance(chosen[0], str):
        yield "no such answer at all"
        yield [*chosen]
    elif isinstance(chosen[0], bool):
        yield from (value for value in (True, False) if value not in chosen)
        yield "true"
        yield 1
    elif isinstance(chosen[0], int | float):
        yield max(chosen) + 1
        yield str(chosen[0])
    elif isinstance(chosen[0], list):
        yield [*max(chosen, key=len), "another"]
        yield max(chosen, key=len)[1:] or ["another"]
    else:
        yield {**chosen[0], "another": 1}
        yield dict(list(chosen[0].items())[1:])


def test_converting_again_gives_the_shipped_bytes() -> None:
    made = convert(read_questions(source(NAME), source(f"possible_answer__{NAME}")), name=NAME)
    shipped = {path.relative_to(CONTENT).as_posix(): path for path in CONTENT.rglob("*") if path.is_file()}
    assert shipped.keys() - made.keys() == {"LICENSE", "SOURCES.md"}
    assert [name for name, content in made.items() if shipped[name].read_bytes() != content] == []
    assert (CONTENT / "LICENSE").read_bytes() == (SOURCE / "LICENSE").read_bytes()


def test_the_job_has_every_prompt_and_asks_each_of_its_own_functions() -> None:
    assert (len(JOB.test_cases), JOB.total_runs, JOB.config.parameter_match) == (200, 200, "bfcl")
    prompts = [json.loads(line) for line in source(NAME).splitlines()]
    assert [case.prompt for case in JOB.test_cases] == [p["question"][0][0]["content"] for p in prompts]
    groups = {group.name: group.plugins[0].manifest_url for group in JOB.plugin_groups}
    for case in JOB.test_cases:
        assert case.test_plugin is not None
        assert (
            case.test_plugin.manifest_url == groups[case.plugin_group_name or ""] == case.expected_plugin_used
        )


def test_every_function_is_an_operation_that_maps_back(plugins: Loaded) -> None:
    for line in source(NAME).splitlines():
        prompt = json.loads(line)
        plugin = plugins[f"https://{HOST}/{prompt['id']}/openapi.json"]
        assert same_plugin(plugin, prompt["id"])
        assert [o.path.removeprefix("/") for o in plugin.operations] == [
            f["name"] for f in prompt["function"]
        ]
        assert len({o.name for o in plugin.operations}) == len(plugin.operations)
        for operation, function in zip(plugin.operations, prompt["function"], strict=True):
            assert operation.description == function["description"].strip()
            declared = function["parameters"]
            assert [p.name for p in operation.parameters] == list(declared["properties"])
            assert {p.name for p in operation.parameters if p.required} == set(declared["required"])


def test_every_expected_operation_is_in_its_document_with_the_expected_parameters(plugins: Loaded) -> None:
    for case in JOB.test_cases:
        operation = operation_of(case, plugins)
        assert operation.url == case.expected_api_used
        assert set(case.expected_parameters or {}) <= {p.name for p in operation.parameters}


def test_an_answer_of_accepted_values_is_right(plugins: Loaded) -> None:
    for case in JOB.test_cases:
        result = scored(case, plugins, answer(case))
        told = (result.verdict, result.match_score, result.parameter_mapped_percentage)
        assert told == ("Passed", 1.0, 100.0), case.name


def test_each_accepted_value_is_right_and_so_is_leaving_out_what_may_be(plugins: Loaded) -> None:
    tried = 0
    for case in JOB.test_cases:
        for name, options in (case.expected_parameters or {}).items():
            rest = {other: value for other, value in answer(case).items() if other != name}
            variants = [{**rest, name: value_of(option)} for option in given(options)]
            for arguments in [*variants, *([rest] if "" in options else [])]:
                tried += 1
                assert scored(case, plugins, arguments).verdict == "Passed", (case.name, arguments)
    assert tried > 800


def test_each_single_wrong_value_fails(plugins: Loaded) -> None:
    tried = 0
    for case in JOB.test_cases:
        expected = case.expected_parameters or {}
        for name, options in expected.items():
            right = answer(case)
            wrongs = [{**right, name: value} for value in wrong(options)]
            if "" not in options:
                wrongs.append({other: value for other, value in right.items() if other != name})
            for arguments in wrongs:
                tried += 1
                result = scored(case, plugins, arguments)
                assert result.verdict == "Failed", (case.name, arguments)
                share = round(100 * (len(expected) - 1) / len(expected), 2)
                assert result.parameter_mapped_percentage == share, (case.name, arguments)
    assert tried > 2_000


def test_another_function_of_the_prompt_fails(plugins: Loaded) -> None:
    for case in JOB.test_cases:
        right = operation_of(case, plugins)
        for operation in plugin_of(case, plugins).operations:
            if operation is not right:
                result = scored(case, plugins, answer(case), by=operation)
                assert (result.verdict, result.match_score) == ("Failed", 0.25)


PROMPT: dict[str, Any] = {
    "id": "one_0",
    "question": [[{"role": "system", "content": "Be short."}, {"role": "user", "content": "How far?"}]],
    "function": [
        {
            "name": "far.away",
            "description": "Tells.",
            "parameters": {
                "type": "dict",
                "properties": {
                    "type": {"type": "tuple", "items": {"type": "float"}, "optional": True},
                    "optional": {"type": "any", "description": "Anything", "default": None},
                    "inner": {"type": "dict", "properties": {"items": {"type": "array"}}},
                },
                "required": ["type"],
            },
        }
    ],
}
ANSWER: dict[str, Any] = {"id": "one_0", "ground_truth": [{"far.away": {"type": [[1.0, 2.0]]}}]}


def lines(*records: object) -> bytes:
    return "\n".join(r if isinstance(r, str) else json.dumps(r) for r in records).encode()


def test_types_become_those_of_json_schema_and_properties_keep_their_names() -> None:
    files = convert(read_questions(lines(PROMPT, ""), lines(ANSWER)), name="one")
    document = json.loads(files[f"mirror/{HOST}/one_0/openapi.json"])
    body = document["paths"]["/far.away"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"] == {
        "type": "object",
        "properties": {
            "type": {"type": "array", "items": {"type": "number"}},
            "optional": {"description": "Anything", "default": None},
            "inner": {"type": "object", "properties": {"items": {"type": "array"}}},
        },
        "required": ["type"],
    }
    case = json.loads(files["job.json"])["test_cases"][0]
    assert case["prompt"] == "Be short.\n\nHow far?"
    assert '"type":[[1.0,2.0]]' in files["job.json"].decode()  # a float stays one


def test_text_that_is_no_ascii_stays_and_separators_of_unicode_end_no_line() -> None:
    prompt = {**PROMPT, "question": [[{"role": "user", "content": "Wie weit ist’s\u2028nach Köln?"}]]}
    raw = json.dumps(prompt, ensure_ascii=False).encode()
    job = BatchRequest.model_validate_json(convert(read_questions(raw, lines(ANSWER)), name="x")["job.json"])
    assert job.test_cases[0].prompt == "Wie weit ist’s\u2028nach Köln?"


def changed(record: dict[str, Any], **values: object) -> bytes:
    return lines({**record, **values})


def function(**values: object) -> list[dict[str, Any]]:
    return [{**PROMPT["function"][0], **values}]


CALL = {"far.away": {"type": [[1.0, 2.0]]}}


@pytest.mark.parametrize(
    ("prompts", "answers", "message"),
    [
        (b"", lines(ANSWER), "The file of prompts is empty"),
        (lines(PROMPT, "{"), lines(ANSWER), "Line 2 of the prompts cannot be used:"),
        (b"\xff", lines(ANSWER), "Line 1 of the prompts cannot be used:"),
        (lines(PROMPT), lines("", "[]"), "Line 2 of the answers cannot be used:"),
        (lines(PROMPT), b"", "Prompt one_0 has no line in the file of answers"),
        (lines(PROMPT, PROMPT), lines(ANSWER), "Prompt one_0 is there twice"),
        (changed(PROMPT, id="../x"), lines(ANSWER), "Line 1 of the prompts cannot be used: id"),
        (changed(PROMPT, function=function(name="a/b")), lines(ANSWER), "function.0.name"),
        (changed(PROMPT, function=function(name="..")), lines(ANSWER), "function.0.name"),
        (changed(PROMPT, function=function() * 2), lines(ANSWER), "two functions of one name"),
        (changed(PROMPT, function=function(name="near")), lines(ANSWER), "calls far.away, which its prompt"),
        (changed(PROMPT, question=PROMPT["question"] * 2), lines(ANSWER), "Line 1 of the prompts"),  # turns
        (lines(PROMPT), changed(ANSWER, ground_truth=[CALL, CALL]), "Line 1 of the answers"),  # calls
        (lines(PROMPT), changed(ANSWER, ground_truth=[{**CALL, "b": {}}]), "Line 1 of the answers"),
        (lines(PROMPT), changed(ANSWER, ground_truth=[]), "Line 1 of the answers"),
        (lines(PROMPT), changed(ANSWER, ground_truth=[{"far.away": {"type": 1}}]), "Line 1 of the answers"),
    ],
)
def test_what_cannot_be_converted_is_told_with_its_place(
    prompts: bytes, answers: bytes, message: str
) -> None:
    with pytest.raises(BadRequest) as raised:
        read_questions(prompts, answers)
    assert message in raised.value.message


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"type": "HashMap"}, "far.away is of type HashMap, which has no counterpart in JSON"),
        ({"properties": {}}, "far.away is of type None"),
        ({"type": "dict", "properties": {"a": {"type": "array", "items": "x"}}}, "far.away.a[] has a schema"),
        ({"type": ["string"]}, "far.away is of type ['string']"),
    ],
)
def test_a_schema_without_a_counterpart_is_told_with_its_place(
    parameters: dict[str, Any], message: str
) -> None:
    prompts = changed(PROMPT, function=function(parameters=parameters))
    with pytest.raises(BadRequest) as raised:
        convert(read_questions(prompts, lines(ANSWER)), name="x")
    assert message in raised.value.message
