"""What reports say of a run in words: what was expected, and what was chosen."""

from collections.abc import Iterator

import orjson

from schemas.batch import BatchRequest, BatchResult, DetectedOperation, Permutation, TestCase
from schemas.envelope import JsonObject
from server.engine.batch.report import Line
from server.engine.batch.scoring import expectation

NOTHING = "nothing"


def expected(case: TestCase, request: BatchRequest) -> list[str]:
    """Return the lines that tell what a case expects."""
    wanted = expectation(case, test_plugin_url=request.test_plugin.manifest_url)
    if wanted.plugin is None:
        return [NOTHING]
    found = [f"plugin {wanted.plugin}"]
    if wanted.api is not None:
        found.append(f"operation {wanted.api}")
    if wanted.method is not None:
        found.append(f"method {wanted.method}")
    if wanted.with_parameters:
        found.append(f"parameters {written(wanted.parameters or {})}")
    return found


def chosen(result: BatchResult) -> list[str]:
    """Return the lines that tell what a model chose, one for each operation."""
    return [_call(one) for one in result.detected] or [NOTHING]


def _call(one: DetectedOperation) -> str:
    """Say what was called; without a method it is a name that stands for no operation."""
    if one.method is None and one.plugin_name is None:
        return f"“{one.plugin_operation}”, which the group does not have"
    plugin = one.plugin_name or "no plugin of the group"
    if one.method is None:
        return f"{plugin}: no operation"
    return f"{plugin}: {one.method.upper()} {one.plugin_operation} {written(one.parameters)}"


def written(parameters: JsonObject) -> str:
    """Return parameters as JSON."""
    return orjson.dumps(parameters).decode()


def answered_otherwise(result: BatchResult, permutation: Permutation) -> str | None:
    """Return the model that answered when it is not the one that the permutation names."""
    return result.answered_by if result.answered_by != permutation.llm.model_name else None


def notes(line: Line, request: BatchRequest) -> Iterator[str]:
    """Yield lines with the figures of a run."""
    result = line.result
    yield f"index: {result.index}"
    yield f"match score: {result.match_score:g}"
    if result.test_type == "api_signature_selector":
        yield f"parameters mapped: {result.parameter_mapped_percentage:g}%"
    yield f"tokens: {result.total_llm_tokens_used}"
    yield f"cost: ${result.llm_api_cost:g}"
    if answered := answered_otherwise(result, request.permutations[line.permutation]):
        yield f"answered by: {answered}"
    if result.cached_calls:
        yield f"calls from the cache: {result.cached_calls}"
    if result.ignored:
        yield f"settings the model does not take: {', '.join(result.ignored)}"
