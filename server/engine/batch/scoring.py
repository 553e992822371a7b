"""What a run is worth: what a model chose against what its case expects."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.batch import DetectedOperation, ParameterMatch, TestCase, Verdict
from schemas.envelope import JsonObject
from server.engine.batch.matching import same_operation, same_plugin
from server.engine.batch.parameters import mapped_percentage
from server.engine.batch.selectors.selection import Detected, Selected


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a run is worth, in the words of its result.

    Name, operation and parameters are of the last call of the expected plugin.
    """

    is_plugin_detected: bool
    is_plugin_operation_found: bool
    is_method_matched: bool
    is_plugin_parameter_mapped: bool
    match_score: float
    plugin_name: str | None
    plugin_operation: str | None
    plugin_parameters_mapped: JsonObject | None
    parameter_mapped_percentage: float
    detected: list[DetectedOperation]
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a case expects; plugin None: that nothing is chosen; api and method None: they do not matter."""

    plugin: str | None
    api: str | None
    method: str | None
    parameters: JsonObject | None
    with_parameters: bool


def expectation(case: TestCase, *, test_plugin_url: str) -> Expected:
    """Return what a case expects; "None" and a blank are the same as null.

    A case that names an operation and has null for the plugin expects the plugin under test: its own
    test_plugin, else the job's. "None" for the plugin expects that nothing is chosen, whatever else is said.
    """
    plugin, api = _stated(case.expected_plugin_used), _stated(case.expected_api_used)
    if plugin is None and api is not None and not (case.expected_plugin_used or "").strip():
        plugin = case.test_plugin.manifest_url if case.test_plugin else test_plugin_url
    return Expected(
        plugin=plugin,
        api=api,
        method=_stated(case.expected_method),
        parameters=case.expected_parameters,
        with_parameters=case.type == "api_signature_selector",
    )


def score(case: TestCase, *, test_plugin_url: str, selected: Selected, match: ParameterMatch) -> Score:
    """Return what a run is worth.

    What a case does not ask for counts as what comes before it: without an expected operation any call of the
    plugin is the operation, without an expected method any method is right. Parameters are compared on the
    last call of the expected operation (with the expected method, if there is one), else they are worth 0;
    plugin_selector cases do not look at them and always report false and 0. Where nothing is expected, any
    call is wrong, also one of something that does not exist.
    """
    expected = expectation(case, test_plugin_url=test_plugin_url)
    if expected.plugin is None:
        return _nothing_expected(expected, selected.detected)
    of_plugin = _of_plugin(expected.plugin, selected.detected)
    calls = [call for call in of_plugin if expected.api is None or _is_operation(call, expected.api)]
    fitting = [call for call in calls if expected.method is None or _method(call) == expected.method.lower()]
    percentage = _percentage(expected, fitting or calls, match=match)
    steps = (bool(of_plugin), bool(calls), bool(fitting))
    mapped = percentage == 100
    last = of_plugin[-1] if of_plugin else None
    return Score(
        is_plugin_detected=steps[0],
        is_plugin_operation_found=steps[1],
        is_method_matched=steps[2],
        is_plugin_parameter_mapped=mapped,
        match_score=_mean(expected, steps, percentage=percentage),
        plugin_name=last.plugin.name if last and last.plugin else None,
        plugin_operation=last.operation.url if last and last.operation else None,
        plugin_parameters_mapped=dict(last.parameters) if last and expected.with_parameters else None,
        parameter_mapped_percentage=percentage,
        detected=[_told(call) for call in selected.detected],
        verdict="Passed" if all(steps) and (mapped or not expected.with_parameters) else "Failed",
    )


def _nothing_expected(expected: Expected, calls: Sequence[Detected]) -> Score:
    right = not calls
    mapped = right and expected.with_parameters
    return Score(
        is_plugin_detected=right,
        is_plugin_operation_found=right,
        is_method_matched=right,
        is_plugin_parameter_mapped=mapped,
        match_score=1.0 if right else 0.0,
        plugin_name=None,
        plugin_operation=None,
        plugin_parameters_mapped=None,
        parameter_mapped_percentage=100.0 if mapped else 0.0,
        detected=[_told(call) for call in calls],
        verdict="Passed" if right else "Failed",
    )


def _stated(value: str | None) -> str | None:
    stripped = (value or "").strip()
    return None if stripped.casefold() in ("", "none") else stripped


def _of_plugin(expected: str, calls: Sequence[Detected]) -> list[Detected]:
    return [call for call in calls if call.plugin is not None and same_plugin(call.plugin, expected)]


def _is_operation(call: Detected, expected: str) -> bool:
    return call.operation is not None and same_operation(call.operation, expected)


def _method(call: Detected) -> str | None:
    """Return the method that a model used; a function that it called has that of its operation."""
    method = call.method or (call.operation.method if call.operation else None)
    return method.lower() if method else None


def _percentage(expected: Expected, calls: Sequence[Detected], *, match: ParameterMatch) -> float:
    if not expected.with_parameters or not calls:
        return 0.0
    return mapped_percentage(expected.parameters, calls[-1].parameters, match)


def _mean(expected: Expected, steps: tuple[bool, bool, bool], *, percentage: float) -> float:
    """Return the mean agreement of what a case asks for, 0 to 1 with 4 decimals."""
    plugin, operation, method = map(float, steps)
    parts = [plugin]
    if expected.api is not None:
        parts.append(operation)
    if expected.method is not None:
        parts.append(method)
    if expected.with_parameters:
        parts.append(percentage / 100)
    return round(sum(parts) / len(parts), 4)


def _told(call: Detected) -> DetectedOperation:
    return DetectedOperation(
        plugin_name=call.plugin.name if call.plugin else None,
        plugin_operation=call.operation.url if call.operation else call.target,
        method=_method(call),
        parameters=dict(call.parameters),
    )
