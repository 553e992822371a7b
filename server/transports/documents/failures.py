"""How errors are answered: the closed codes, in the shape that a group of addresses has."""

from typing import Any

from schemas.envelope import Failure, Problem
from server.errors import BadRequest, GreenroomError
from server.transports import http_evaluator_errors, http_pipelines_errors
from server.transports.documents.naming import Schema, Schemas, closed

JSON = "application/json"
NOT_ALLOWED = 405  # its code is bad_request
INVALID = 422  # of pipelines, where others answer 400
ERRORS: tuple[type[GreenroomError], ...] = (GreenroomError, *GreenroomError.__subclasses__())


FAMILIES = {"": "", http_evaluator_errors.PREFIX: "Evaluators", http_pipelines_errors.PREFIX: "Pipelines"}


def failures_of(address: str) -> dict[str, Any]:
    """Return references to the answers of everything that can go wrong at an address, by status."""
    prefix = _prefix(address)
    return {
        str(status): {"$ref": f"#/components/responses/{_name(prefix, status)}"}
        for status in sorted(_by_status(prefix))
    }


def responses(schemas: Schemas) -> dict[str, Any]:
    """Return the answers of everything that can go wrong anywhere, by name."""
    found: dict[str, Any] = {}
    for prefix in FAMILIES:
        for status, (codes, texts) in sorted(_by_status(prefix).items()):
            found[_name(prefix, status)] = {
                "description": f"{' or '.join(f'`{code}`' for code in codes)}: {' '.join(texts)}",
                "content": {JSON: {"schema": _shape(prefix, status, schemas)}},
            }
    return found


def _prefix(address: str) -> str:
    return max((prefix for prefix in FAMILIES if address.startswith(prefix)), key=len)


def _name(prefix: str, status: int) -> str:
    return f"{FAMILIES[prefix]}Error{status}"


def failed(schemas: Schemas) -> Schema:
    """Return the schema of a failure as acks and most addresses tell it."""
    error = schemas.of(Failure, mode="validation")
    return schemas.named("Failed", lambda: closed({"success": {"const": False}, "error": error}))


def _by_status(prefix: str) -> dict[int, tuple[list[str], list[str]]]:
    found: dict[int, tuple[list[str], list[str]]] = {
        NOT_ALLOWED: (["bad_request"], ["The method is not possible here; `Allow` names those that are."])
    }
    for error in dict.fromkeys(ERRORS):
        status = error.status
        if error is BadRequest and prefix == http_pipelines_errors.PREFIX:
            status = INVALID
        codes, texts = found.setdefault(status, ([], []))
        if error.code not in codes:
            codes.append(error.code)
            texts.append((error.__doc__ or "").strip())
    return found


def _shape(prefix: str, status: int, schemas: Schemas) -> Schema:
    pipelines = prefix == http_pipelines_errors.PREFIX
    if not prefix:
        return failed(schemas)
    detail = schemas.named("Detail", lambda: closed({"detail": {"type": "string"}}))
    if pipelines:
        problems = schemas.of(Problem)
        listed = schemas.named("Problems", lambda: closed({"detail": {"type": "array", "items": problems}}))
        return listed if status in (INVALID, NOT_ALLOWED) else detail
    if status != BadRequest.status:
        return detail
    fields = schemas.named("FieldProblems", _fields)
    return {"anyOf": [detail, fields]}


def _fields() -> Schema:
    return {
        "type": "object",
        "description": "Every problem by the field that has it.",
        "additionalProperties": {"type": "array", "items": {"type": "string"}},
    }
