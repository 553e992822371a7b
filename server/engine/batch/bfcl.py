"""Make a batch job of a category of the Berkeley Function Calling Leaderboard.

Every prompt becomes a plugin of its own, an OpenAPI document with a POST operation for each of its functions:
the last segment of the path is the function's name, and the body has its parameters.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from schemas.envelope import JsonObject
from server.errors import BadRequest

HOST = "bfcl.invalid"
MODEL = "gpt-4o-mini"
CONCURRENCY = 32
METHOD = "post"
TYPES = {"dict": "object", "float": "number", "tuple": "array"}
JSON_TYPES = {"object", "number", "array", "string", "integer", "boolean", "null"}
KEYWORDS = ("description", "enum", "default", "format", "maximum", "minimum", "required")

Segment = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=200)]  # of an address


class Message(BaseModel):
    """A message of a prompt."""

    content: str


class Function(BaseModel):
    """A function that a model may call; its parameters are in the leaderboard's own schema language."""

    name: Segment
    description: str
    parameters: JsonObject


class Prompt(BaseModel):
    """A line of the file of prompts: one turn, and the functions to choose from."""

    id: Segment
    question: list[list[Message]] = Field(min_length=1, max_length=1)
    function: list[Function] = Field(min_length=1)

    @property
    def text(self) -> str:
        """Return what the model is asked."""
        return "\n\n".join(message.content for message in self.question[0])

    @property
    def base(self) -> str:
        """Return the address below which the functions of the prompt are."""
        return f"https://{HOST}/{self.id}"

    @property
    def manifest_url(self) -> str:
        """Return the address of the prompt's document."""
        return f"{self.base}/openapi.json"


class Answer(BaseModel):
    """A line of the file of answers: the call, with the accepted values of each parameter."""

    id: Segment
    ground_truth: list[Annotated[dict[str, dict[str, list[Any]]], Field(min_length=1, max_length=1)]] = Field(
        min_length=1, max_length=1
    )

    @property
    def call(self) -> tuple[str, dict[str, list[Any]]]:
        """Return the function that is to be called, and what is accepted for its parameters."""
        return next(iter(self.ground_truth[0].items()))


Line = TypeVar("Line", Prompt, Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A prompt with its answer."""

    prompt: Prompt
    function: str
    accepted: JsonObject


def read_questions(prompts: bytes, answers: bytes) -> list[Question]:
    """Return the questions of a category, whose prompts and answers are JSON Lines.

    Raises BadRequest naming the line that cannot be used; categories whose prompts ask for several calls, or
    have several turns, are such.
    """
    accepted = {answer.id: answer for answer in _lines(answers, Answer, name="answers")}
    known: set[str] = set()
    questions = []
    for prompt in _lines(prompts, Prompt, name="prompts"):
        if prompt.id in known:
            raise BadRequest(f"Prompt {prompt.id} is there twice")
        known.add(prompt.id)
        questions.append(_question(prompt, accepted.get(prompt.id)))
    if not questions:
        raise BadRequest("The file of prompts is empty")
    return questions


def convert(questions: Sequence[Question], *, name: str) -> dict[str, bytes]:
    """Return the files of a job by their paths: `job.json`, and below `mirror` a document for each prompt.

    The same questions give the same bytes. Raises BadRequest for a type that the leaderboard does not define.
    """
    files = {"job.json": _bytes(_job(questions, name=name))}
    for question in questions:
        path = question.prompt.manifest_url.removeprefix("https://")
        files[f"mirror/{path}"] = _bytes(_document(question.prompt))
    return files


def _question(prompt: Prompt, answer: Answer | None) -> Question:
    if answer is None:
        raise BadRequest(f"Prompt {prompt.id} has no line in the file of answers")
    names = [function.name for function in prompt.function]
    if len(set(names)) < len(names):
        raise BadRequest(f"Prompt {prompt.id} has two functions of one name")
    function, accepted = answer.call
    if function not in names:
        raise BadRequest(f"The answer {prompt.id} calls {function}, which its prompt does not have")
    return Question(prompt=prompt, function=function, accepted=dict(accepted))


def _lines(content: bytes, model: type[Line], *, name: str) -> list[Line]:
    found = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            found.append(model.model_validate_json(line))
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, problem["loc"]))
            raise BadRequest(
                f"Line {number} of the {name} cannot be used: {where} {problem['msg']}"
            ) from error
    return found


def _job(questions: Sequence[Question], *, name: str) -> JsonObject:
    first = questions[0].prompt
    return {
        "version": "1",
        "name": name,
        "config": {"concurrency": CONCURRENCY, "parameter_match": "bfcl"},
        "test_plugin": {"manifest_url": first.manifest_url},
        "plugin_groups": [
            {"name": question.prompt.id, "plugins": [{"manifest_url": question.prompt.manifest_url}]}
            for question in questions
        ],
        "permutations": [
            {
                "name": f"{MODEL} with tools",
                "llm": {"provider": "OpenAI", "model_name": MODEL, "temperature": 0},
                "tool_selector": {
                    "provider": "OpenAI",
                    "pipeline_name": "default",
                    "plugin_group_name": first.id,
                },
            }
        ],
        "test_cases": [_case(question) for question in questions],
    }


def _case(question: Question) -> JsonObject:
    prompt = question.prompt
    return {
        "name": prompt.id,
        "type": "api_signature_selector",
        "prompt": prompt.text,
        "expected_plugin_used": prompt.manifest_url,
        "expected_api_used": f"{prompt.base}/{question.function}",
        "expected_method": METHOD,
        "expected_parameters": question.accepted,
        "plugin_group_name": prompt.id,
        "test_plugin": {"manifest_url": prompt.manifest_url},
    }


def _document(prompt: Prompt) -> JsonObject:
    return {
        "openapi": "3.1.0",
        "info": {"title": prompt.id, "version": "1"},
        "servers": [{"url": prompt.base}],
        "paths": {f"/{function.name}": {METHOD: _operation(function)} for function in prompt.function},
    }


def _operation(function: Function) -> JsonObject:
    schema = _schema(function.parameters, where=function.name)
    return {
        "operationId": function.name,
        "description": function.description,
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {"200": {"description": "The result"}},
    }


def _schema(given: object, *, where: str) -> JsonObject:
    """Return a JSON schema; `any` has no type, and `optional` is dropped: `required` says the same."""
    if not isinstance(given, Mapping):
        raise BadRequest(f"{where} has a schema that is no object")
    declared = str(given.get("type"))
    kind = TYPES.get(declared, declared)
    if kind not in JSON_TYPES and kind != "any":
        raise BadRequest(f"{where} is of type {declared}, which has no counterpart in JSON")
    schema: JsonObject = {} if kind == "any" else {"type": kind}
    schema |= {keyword: given[keyword] for keyword in KEYWORDS if keyword in given}
    if isinstance(properties := given.get("properties"), Mapping):
        schema["properties"] = {
            name: _schema(inner, where=f"{where}.{name}") for name, inner in properties.items()
        }
    if "items" in given:
        schema["items"] = _schema(given["items"], where=f"{where}[]")
    return schema


def _bytes(content: JsonObject) -> bytes:
    return (json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
