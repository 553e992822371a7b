"""What is written almost right in a job: told with what was meant, and never taken for nothing."""

from typing import Any

import pytest

from schemas.batch import BatchRequest
from server.engine.batch.checking import is_malformed, problems
from tests.support.batches import SHOP, case, job_of


def told(job: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return place, kind and words of each problem."""
    return [(".".join(map(str, p.loc)), p.type, p.msg) for p in problems(job)]


@pytest.mark.parametrize(
    ("path", "name", "meant"),
    [
        (("test_cases", 1), "expected_parameter", "expected_parameters"),
        (("test_cases", 1), "expected_params", "expected_parameters"),
        (("test_cases", 1), "expected_api", "expected_api_used"),
        (("test_cases", 1), "expectedMethod", "expected_method"),
        (("test_cases", 0, "test_plugin"), "manifest_uri", "manifest_url"),
        (("config",), "paramter_match", "parameter_match"),
        (("permutations", 0, "llm"), "max_token", "max_tokens"),
        (("permutations", 0, "tool_selector"), "plugin_groupname", "plugin_group_name"),
        (("permutations", 0), "tool_selectors", "tool_selector"),
        (("plugin_groups", 0, "plugins", 0), "manifest-url", "manifest_url"),
        ((), "client_event-id", "client_event_id"),
    ],
)
def test_a_field_that_is_almost_known_is_a_problem(
    path: tuple[str | int, ...], name: str, meant: str
) -> None:
    job = job_of(2, test_cases=[case(0, test_plugin={"manifest_url": SHOP}), case(1)])
    inside: Any = job
    for part in path:
        inside = inside[part]
    inside[name] = "x"
    place = ".".join(map(str, (*path, name)))
    assert told(job) == [(place, "unknown_field", f"unknown field {name}; is {meant} meant?")]
    assert not is_malformed(problems(job))


def test_a_field_inside_of_wrappers_is_found_at_its_place() -> None:
    job = job_of(1)
    job["test_cases"] = [{"test_case": case(0, expected_parameter={})}]
    job["permutations"] = [{"permutation": {**job["permutations"][0], "nane": 1}}]
    assert [place for place, _, _ in told(job)] == ["test_cases.0.expected_parameter"]


def test_other_unknown_fields_are_ignored() -> None:
    job = job_of(1, comment="x", author=1)
    job["permutations"][0]["llm"] |= {"top_k": 5, "seed": 1, "stop": []}
    job["test_cases"] = [
        case(0, test_case=None, plugin_group=None, id=7, expected_parameters={"expected_parameter": 1})
    ]
    assert told(job) == []


def test_very_many_unknown_fields_are_not_looked_at_for_long() -> None:
    job = job_of(1)
    job["test_cases"] = [case(n, **{f"expected_{n}": n}) for n in range(20_000)]
    assert told(job) == []


@pytest.mark.parametrize("method", ["GTE", "fetch", "get post", "-"])
def test_a_method_that_does_not_exist_is_a_problem(method: str) -> None:
    job = job_of(2)
    job["test_cases"][1]["expected_method"] = method
    ((place, kind, words),) = told(job)
    assert (place, kind) == ("test_cases.1.expected_method", "unknown_method")
    assert words == (
        f"There is no HTTP method “{method}”; there are GET, PUT, POST, DELETE, OPTIONS, HEAD, PATCH, TRACE"
    )


@pytest.mark.parametrize("method", ["get", "GET", " Post ", "None", "none", "", None])
def test_methods_in_any_case_and_none_are_fine(method: str | None) -> None:
    assert told(job_of(0, test_cases=[case(0, expected_method=method)])) == []


def test_what_there_is_is_told() -> None:
    job = job_of(1)
    plugins = job["plugin_groups"][0]["plugins"]
    selector = job["permutations"][0]["tool_selector"]
    selector |= {"provider": "Imprompt", "pipeline_name": "standard", "plugin_group_name": "al"}
    job["test_cases"].append(case(1, plugin_group_name="some"))
    job["plugin_groups"] += [{"name": f"group {n}", "plugins": plugins} for n in range(12)]
    names = "all, group 0, group 1, group 2, group 3, group 4, group 5, group 6, group 7, group 8, …"
    assert [words for _, _, words in told(job)] == [
        "There is no pipeline “standard” of Imprompt; there is default",
        f"No plugin group of this job is named “al”; there are {names}",
        f"No plugin group of this job is named “some”; there are {names}",
    ]
    selector |= {"provider": "Langchain", "plugin_group_name": "all"}
    assert told(job)[0][2].endswith(
        "; there are zero-shot-react-description, structured-chat-zero-shot-react-description"
    )
    job["plugin_groups"] = []
    assert any(words.endswith("; there is none") for _, _, words in told(job))


@pytest.mark.parametrize(("given", "kept"), [(1, "1"), (1.5, "1.5"), ("1", "1")])
def test_a_version_may_be_a_number(given: object, kept: str) -> None:
    job = job_of(1, version=given)
    assert told(job) == []
    assert BatchRequest.model_validate(job).version == kept


@pytest.mark.parametrize("given", [True, None, [1]])
def test_a_version_is_nothing_else(given: object) -> None:
    assert [(place, kind) for place, kind, _ in told(job_of(1, version=given))] == [
        ("version", "string_type")
    ]
