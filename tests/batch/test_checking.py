"""What is said of a job that cannot be done: everything at once, each problem with its place."""

from typing import Any

import orjson
import pytest

from schemas.batch import MAX_RUNS, BatchRequest
from server.engine.batch.checking import MAX_PROBLEMS, MAX_VALUES, checked, is_malformed, problems
from server.errors import BadRequest
from tests.support.batches import SHOP, case, job_of


def places(raw: object) -> dict[str, str]:
    """Return the kind of each problem by its place."""
    return {".".join(str(part) for part in p.loc): p.type for p in problems(raw)}


def test_a_good_job_has_no_problem() -> None:
    assert problems(job_of(3)) == []
    assert problems(orjson.dumps(job_of(3))) == []
    assert problems(orjson.dumps(job_of(3)).decode()) == []


async def test_wrapped_and_flat_items_are_the_same_job() -> None:
    flat = job_of(2)
    for items, wrapper in (("test_cases", "test_case"), ("permutations", "permutation")):
        flat[items] = [{wrapper: None, **item} for item in flat[items]]
    nested = job_of(2)
    nested["plugin_groups"] = [
        {"plugin_group": {"name": "all", "plugins": [{"plugin": {"manifest_url": SHOP}}]}}
    ]
    nested["permutations"] = [{"permutation": item} for item in nested["permutations"]]
    nested["test_cases"] = [{"test_case": item} for item in nested["test_cases"]]
    assert await checked(flat) == await checked(nested) == BatchRequest.model_validate(job_of(2))


def test_every_problem_is_listed_also_references_beside_wrong_types() -> None:
    job = job_of(3)
    job["name"] = 7
    job["config"] = {"concurrency": 0, "parameter_match": "fuzzy"}
    job["permutations"][0]["llm"]["provider"] = "Nobody"
    job["permutations"][0]["tool_selector"] |= {"pipeline_name": "magic", "plugin_group_name": "none"}
    job["permutations"].append(job["permutations"][0])
    job["plugin_groups"].append(job["plugin_groups"][0])
    del job["test_cases"][0]["prompt"]
    job["test_cases"][1]["plugin_group_name"] = "gone"
    job["test_cases"][2] = "no object"
    assert places(job) == {
        "name": "string_type",
        "config.concurrency": "greater_than_equal",
        "config.parameter_match": "literal_error",
        "permutations.0.llm.provider": "unknown_provider",
        "permutations.0.tool_selector.pipeline_name": "unknown_pipeline",
        "permutations.0.tool_selector.plugin_group_name": "unknown_plugin_group",
        "permutations.1.llm.provider": "unknown_provider",
        "permutations.1.tool_selector.pipeline_name": "unknown_pipeline",
        "permutations.1.tool_selector.plugin_group_name": "unknown_plugin_group",
        "permutations.1.name": "repeated",
        "plugin_groups.1.name": "repeated",
        "test_cases.0.prompt": "missing",
        "test_cases.1.plugin_group_name": "unknown_plugin_group",
        "test_cases.2": "model_type",
    }


@pytest.mark.parametrize("raw", [b"{", "", "[1", b"\xff", '{"a": NaN}', "[" * 5000, b"null", b"[]", 3, None])
def test_what_is_no_job_at_all_is_malformed(raw: object) -> None:
    assert is_malformed(problems(raw))


@pytest.mark.parametrize(
    ("change", "malformed"),
    [
        ({"name": 7}, True),
        ({"test_plugin": None}, True),
        ({"plugin_groups": {}}, True),
        ({"config": {"openai_api_key": 7}}, True),
        ({"config": {"concurrency": "16"}}, True),
        ({"test_cases": []}, False),
        ({"plugin_groups": [{"name": "other", "plugins": [{"manifest_url": SHOP}]}]}, False),
        ({"test_plugin": {"manifest_url": "ftp://shop.test/x"}}, False),
        ({"config": {"concurrency": 10_000}}, False),
        ({"config": {"parameter_match": "fuzzy"}}, False),
    ],
)
def test_wrong_types_are_told_from_wrong_values(change: dict[str, Any], malformed: bool) -> None:
    found = problems(job_of(1, **change))
    assert found
    assert is_malformed(found) is malformed


@pytest.mark.parametrize("bad", ["a\0b", 2**70, {"x\0": 1}])
def test_what_cannot_be_kept_is_refused_with_its_place(bad: object) -> None:
    job = job_of(2)
    job["test_cases"][1]["expected_parameters"] = {"deep": [1, bad]}
    assert places(job) == {"test_cases.1.expected_parameters.deep.1": "not_storable"}


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 1e16, 2**63 - 1])
def test_numbers_that_are_not_exact_everywhere_are_refused_with_their_place(number: float) -> None:
    job = job_of(2)
    job["test_cases"][1]["expected_parameters"] = {"id": number, "deep": [2**53, {"n": number}, True, -1.5]}
    at = "test_cases.1.expected_parameters"
    assert places(job) == {f"{at}.id": "number_too_large", f"{at}.deep.1.n": "number_too_large"}
    assert not is_malformed(problems(orjson.dumps(job)))


def test_a_deep_job_is_refused() -> None:
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    found = problems(job_of(1, test_cases=[case(0, expected_parameters={"x": deep})]))
    assert [p.type for p in found] == ["not_storable"]


def test_too_many_runs_are_refused() -> None:
    languages = [f"language {n}" for n in range(200)]
    job = job_of(0, config={"auto_translate_to_languages": languages})
    job["test_cases"] = [case(0)] * (MAX_RUNS // 200 + 1)
    assert places(job) == {"test_cases": "too_many_runs"}


def test_cases_may_share_a_name() -> None:
    assert problems(job_of(0, test_cases=[case(0), case(0)])) == []


def test_of_very_many_problems_the_first_are_told() -> None:
    found = problems(job_of(0, test_cases=[7] * 3000))
    assert len(found) == MAX_PROBLEMS + 1
    assert "2000 more" in found[-1].msg


@pytest.mark.parametrize("key", ["schlüssel", "two\r\nlines", "nul\x00"])
def test_a_key_that_no_header_holds_is_a_problem(key: str) -> None:
    found = problems(job_of(1, config={"openai_api_key": key, "openplugin_api_key": key}))
    unsendable = [".".join(map(str, p.loc)) for p in found if p.type == "unsendable_key"]
    assert sorted(unsendable) == ["config.openai_api_key", "config.openplugin_api_key"]
    assert key not in repr(found)


def test_white_space_around_a_key_is_no_problem() -> None:
    assert problems(job_of(1, config={"openai_api_key": " sk-copied\n", "openplugin_api_key": ""})) == []


async def test_nothing_of_a_key_is_in_a_refusal() -> None:
    with pytest.raises(BadRequest) as refused:
        await checked(
            job_of(1, config={"openai_api_key": ["sk-very-secret"], "openplugin_api_key": {"k": 1}})
        )
    assert "very-secret" not in repr((refused.value.message, refused.value.details))


@pytest.mark.parametrize("text", [str, str.encode])
def test_more_values_than_can_be_read_in_time_are_refused_unread(text: Any) -> None:
    found = problems(text("[" + "1," * MAX_VALUES + "1,"))
    assert [p.type for p in found] == ["too_long"]
    assert not is_malformed(found)


def test_more_values_than_can_be_read_in_time_are_refused_as_an_object_too() -> None:
    many = case(0, expected_parameters={"x": [[1] * 1000] * (MAX_VALUES // 1000)})
    assert places(job_of(0, test_cases=[many])) == {"": "too_long"}


def test_commas_in_texts_are_no_values() -> None:
    prompt = '\\",' + "\\\\," * 10 + ",".join(str(n % 10) for n in range(15_000))
    text = orjson.dumps(job_of(0, test_cases=[case(n, prompt=prompt) for n in range(200)]))
    assert text.count(b",") > MAX_VALUES
    assert problems(text) == problems(text.decode()) == problems(orjson.loads(text)) == []


BEFORE = [b'"\\\\"', b'"\\\\\\",\\""', b'"a,\\"b"', b'"\\n\\\\\\\\"', b'""']


@pytest.mark.parametrize("text", BEFORE)
def test_values_behind_any_text_are_counted(text: bytes) -> None:
    assert [p.type for p in problems(b"[" + text + b",1" * (MAX_VALUES + 1) + b"]")] == ["too_long"]
