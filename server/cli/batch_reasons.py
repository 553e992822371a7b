"""What `batch` says of a run that did not pass: what its case wanted, and what the model chose."""

import orjson
from pydantic import ValidationError

from schemas.batch import BatchRequest, TestCase
from schemas.envelope import JsonObject

NO_CALL = "no call"
Key = tuple[str, str, str]


class Reasons:
    """Says why runs have not passed; what their cases wanted only for a job that is started here."""

    def __init__(self, job: str | None) -> None:
        self._plugin = ""
        self._cases: dict[Key, TestCase] = {}
        if job is None:
            return
        try:
            request = BatchRequest.model_validate_json(job)
        except ValidationError:
            return  # the server will say why it is none
        self._plugin = request.test_plugin.manifest_url
        self._cases = {(case.name, case.type, case.prompt): case for case in request.test_cases}

    def of(self, result: JsonObject) -> str:
        """Return why a run has not passed; "" for one that has."""
        if result["error"]:
            return str(result["error"]["message"])
        if result["verdict"] == "Passed":
            return ""
        case = self._cases.get((result["test_case_name"], result["test_type"], result["source_prompt"]))
        wanted = f"wanted {self._expected(case, result)}, " if case else ""
        return f"{wanted}chose {chosen(result)}"

    def _expected(self, case: TestCase, result: JsonObject) -> str:
        """Return what a case expects; parameters only where nothing else was wrong."""
        from server.engine.batch.scoring import expectation  # other commands start faster without

        expected = expectation(case, test_plugin_url=self._plugin)
        if expected.plugin is None:
            return NO_CALL
        if expected.api is None:
            call = f"any operation of {expected.plugin}"
        else:
            call = f"{(expected.method or '').upper()} {expected.api}".strip()
        return f"{call} {_json(expected.parameters or {})}" if _by_parameters(result) else call


def chosen(result: JsonObject) -> str:
    """Return the calls that a model made, or what it said instead."""
    calls = [_call(call, result) for call in result["detected"]]
    return ", ".join(calls) or f"{NO_CALL} and said: {result['final_output'] or 'nothing'}"


def _call(call: JsonObject, result: JsonObject) -> str:
    target, plugin = call["plugin_operation"], call["plugin_name"]
    if call["method"] is None:
        return f"{target} without an operation" if plugin else f"“{target}”, which the group does not have"
    told = f"{call['method'].upper()} {target}"
    if plugin is None:
        return f"{told}, which is no operation of the group"
    return f"{told} {_json(call['parameters'])}" if _by_parameters(result) else told


def _by_parameters(result: JsonObject) -> bool:
    """Tell whether a run failed by its parameters alone."""
    right = result["is_plugin_operation_found"] and result["is_method_matched"]
    return bool(right) and result["test_type"] == "api_signature_selector"


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
