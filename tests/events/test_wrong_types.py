"""Wrong types for each field of each event: refused by name, never coerced, and nothing changes."""

from typing import Any

import pytest

from handlers import HANDLERS
from server.engine.ids import new
from tests.conftest import Cast
from tests.support.attempts import Data, Talk, begin, check_failure, notice_of, refused, stored
from tests.support.running import Server, practice

ONE_OF_EACH: dict[str, list[Any]] = {
    "null": [None],
    "boolean": [True, False],
    "integer": [0, 1, 5],
    "number": [1.5],
    "string": ["", "true", "1", "null", "x"],
    "array": [[], ["x"], [1]],
    "object": [{}, {"a": 1}],
}
Schema = dict[str, Any]
Case = tuple[list[str], Any]


def kinds(schema: Schema) -> set[str]:
    """Return the JSON types that a schema takes."""
    if "$ref" in schema:
        return {"object"}
    if "anyOf" in schema:
        return set().union(*(kinds(s) for s in schema["anyOf"]))
    return {schema["type"]}


def wrong(schema: Schema) -> list[Any]:
    """Return values of all types that a schema does not take."""
    taken = kinds(schema)
    if "number" in taken:
        taken.add("integer")  # JSON knows one kind of number
    values = [v for kind, examples in ONE_OF_EACH.items() if kind not in taken for v in examples]
    if "string" in taken and any("format" in s for s in schema.get("anyOf", [schema])):
        values += ["", "x", "1", "null", "00000000-0000-4000-8000-00000000000g", new() + "0"]
    return values


def inside(schema: Schema) -> list[Any]:
    """Return lists and objects of the right kind with something wrong inside."""
    values: list[Any] = []
    for part in schema.get("anyOf", [schema]):
        if "items" in part:
            values += [[v] for v in wrong(part["items"])]
        if isinstance(part.get("additionalProperties"), dict):
            values += [{new(): v} for v in wrong(part["additionalProperties"])]
            values += [{key: None} for key in ("", "x", "1")]
    return values


def cases(event: str) -> list[tuple[str, Any]]:
    """Return (field, wrong value) for every field of an event."""
    schema = HANDLERS[event].schema.model_json_schema()
    return [(f, v) for f, s in schema["properties"].items() for v in [*wrong(s), *inside(s)]]


def right(event: str, talk: Talk, entry: str) -> Data:
    """Return a payload of an event that could act."""
    given: Data = {
        "practice_id": practice("one"),
        "attempt_id": talk.attempt_id,
        "chat_id": talk.chat_id,
        "message": "Hello.",
        "question_id": new(),
        "option_ids": [new()],
        "previous_chat_map": {entry: None},
        "room": talk.room,
        "pipeline_id": new(),
        "speed": 0,
    }
    return {f: given[f] for f in HANDLERS[event].schema.model_fields if f in given}


def names_the_field(error: Data, field: str) -> bool:
    """Tell whether the details of a refusal name a field."""
    return any(d["loc"][:1] == [field] and d["msg"] and d["type"] for d in error.get("details", []))


async def state(server: Server, cast: Cast) -> list[Data]:
    """Return what the learner has."""
    return [d for name in ("attempts", "chats") for d in await stored(server, name, owner=cast.learner_id)]


@pytest.mark.parametrize("event", HANDLERS)
async def test_each_field_refuses_wrong_types(server: Server, cast: Cast, event: str) -> None:
    learner, plain = await cast.learner(), await cast.http(connect=False)
    talk = await begin(learner)
    before = await state(server, cast)
    base = right(event, talk, talk.ack["chat_entry_id"])
    for count, (field, value) in enumerate(cases(event), 1):
        payload = {**base, field: value}
        ack = await learner.call(event, **payload)
        error = check_failure(learner, ack, "bad_request")
        assert names_the_field(error, field), (field, value, error)
        assert len(learner.named(notice_of(event), code="bad_request")) == count
        if HANDLERS[event].schema.raw is not None:
            continue  # over HTTP its body is no JSON
        ack = await plain.call(event.replace("_", "/", 1), **payload)
        error = check_failure(plain, ack, "bad_request")
        assert names_the_field(error, field), (field, value, error)
    assert await state(server, cast) == before


@pytest.mark.parametrize("event", HANDLERS)
async def test_required_fields_are_asked_for_by_name(server: Server, cast: Cast, event: str) -> None:
    learner = await cast.learner()
    needed = [n for n, f in HANDLERS[event].schema.model_fields.items() if f.is_required()]
    if event != "attempt_start":
        assert needed
        error = await refused(learner, event, "bad_request", unknown="ignored")
        assert [d["loc"] for d in error["details"]] == [[n] for n in needed]
        assert {d["type"] for d in error["details"]} == {"missing"}


async def test_limits_of_length(server: Server, cast: Cast) -> None:
    learner = await cast.learner()
    talk = await begin(learner)
    too_long: list[tuple[str, str, Data]] = [
        ("attempt_start", "client_event_id", {"practice_id": practice("one"), "client_event_id": "x" * 65}),
        ("attempt_message", "message", {**talk.ids, "message": "x" * 32_001}),
        ("attempt_response_submit", "option_ids", {"option_ids": [new() for _ in range(21)]}),
        (
            "attempt_use_previous",
            "previous_chat_map",
            {"previous_chat_map": {new(): None for _ in range(201)}},
        ),
        ("attempt_grade", "user_instructions", {"user_instructions": ["x"] * 21}),
        ("attempt_grade", "user_instructions", {"user_instructions": ["x" * 4_001]}),
        ("attempt_join", "epoch", {"epoch": "x" * 65}),
        ("room_join", "room", {"room": "x" * 65}),
    ]
    for event, field, data in too_long:
        error = await refused(learner, event, "bad_request", **data)
        assert names_the_field(error, field), error
    await learner.send("attempt_start", practice_id=practice("one"), client_event_id="x" * 64)


async def test_fields_that_are_not_known_are_ignored(server: Server, cast: Cast) -> None:
    for client in (await cast.learner(), await cast.http()):
        ack = await client.send(
            "attempt_start", practice_id=practice("one"), colour=["red"], __proto__={"a": 1}
        )
        assert ack["chat_id"]


async def test_ids_are_taken_in_upper_case_too(server: Server, cast: Cast) -> None:
    learner = await cast.learner()
    talk = await begin(learner)
    await learner.send(
        "attempt_message", attempt_id=talk.attempt_id.upper(), chat_id=talk.chat_id.upper(), message="Hi"
    )
    done = await learner.until("attempt_assistant_complete")
    assert done["chat_id"] == talk.chat_id
