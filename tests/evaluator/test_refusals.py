"""Resources that are refused: every answer is 400 and names the field, whatever was sent."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest_asyncio

from schemas.evaluator import RESOURCES
from tests.evaluator.client import Client, Desk, desk_of
from tests.support.running import Server

HOSTILE: list[Any] = [True, 1.5, -1, 2**53, [], {}, [[]], {"a": {"b": []}}, "\0", "", None, "x" * 40_000]
WRONG_AGENTS: list[tuple[str, Any]] = [
    ("agent_name", ""),
    ("agent_name", "x" * 256),
    ("inbound", 1),
    ("inbound", "true"),
    ("agent_gives_first_message", 0),
    ("assistant_id", "too short"),
    ("assistant_id", 123456789),
    ("assistant_id", 1234567890.0),
    ("websocket_url", "https://agent.example.org"),
    ("websocket_url", "ws://"),
    ("websocket_url", "ws:///path"),
    ("websocket_url", "ws://host:99999/"),
    ("websocket_url", "ws://user:password@host/"),
    ("websocket_url", "ws://[::1"),
    ("websocket_url", "ws://host/ x"),
    ("voice_url", "wss://:80/"),
    ("voice_transport", "sip"),
    ("webhook_url", "ftp://host/"),
    ("webhook_url", "http://user@host/"),
    ("websocket_headers", {"Host": "x"}),
    ("websocket_headers", {"sec-websocket-key": "x"}),
    ("websocket_headers", {"X-A": "1", "x-a": "2"}),
    ("websocket_headers", {"X-A": "1\r\nX-B: 2"}),
    ("websocket_headers", {"X A": "1"}),
    ("websocket_headers", {"": "1"}),
    ("websocket_headers", {"X-A": 1}),
    ("websocket_headers", {f"X-{n}": "1" for n in range(51)}),
    ("websocket_secret", "é"),
    ("webhook_secret", "a\nb"),
]
WRONG_SCENARIOS: list[tuple[str, Any]] = [
    ("name", None),
    ("name", " "),
    ("agent", "1"),
    ("agent", True),
    ("agent", 0),
    ("agent", 2**53),
    ("agent", None),
    ("personality", 10**9),
    ("test_profile", 10**9),
    ("metrics", [10**9]),
    ("metrics", [1, "1"]),
    ("metrics", 1),
    ("metrics", list(range(1, 102))),
    ("instructions", ""),
    ("instructions", "\n "),
    ("instructions", "x" * 32_001),
    ("instructions", "a\0b"),
    ("scenario_type", "voice"),
    ("conditional_actions", {"conditions": []}),
    ("conditional_actions", {"conditions": [{"id": -1}]}),
    ("conditional_actions", {"conditions": [{"id": 1.0}]}),
    ("conditional_actions", {"conditions": [{"id": 1, "condition": "a"}, {"id": 1, "condition": "b"}]}),
    ("conditional_actions", {"conditions": [{"id": 1, "condition": 'contains "', "action": "x"}]}),
    ("conditional_actions", {"conditions": [{"id": n} for n in range(201)]}),
    ("pass_score", 101),
    ("pass_score", True),
    ("tags", "one"),
    ("tags", [""]),
    ("tags", [1]),
    ("tags", [f"t{n}" for n in range(101)]),
    ("tool_ids", [1]),
    ("max_duration", 9),
    ("max_duration", 3601),
    ("max_duration", 60.0),
    ("scenario_language", ""),
    ("first_message", "x" * 4_001),
    ("folder_path", 1),
]
WRONG_OTHERS: list[tuple[str, str, Any]] = [
    ("personalities", "name", 1),
    ("personalities", "interruption_level", "always"),
    ("personalities", "language", []),
    ("metrics", "type", "vibes"),
    ("metrics", "eval_type", "binary "),
    ("metrics", "prompt", " "),
    ("metrics", "prompt", 1),
    ("metrics", "options", [""]),
    ("metrics", "pass", {"operator": "~"}),
    ("metrics", "pass", {"operator": "==", "value": {"a": [1]}}),
    ("metrics", "pass", {"operator": ">", "value": "high"}),
    ("metrics", "pass", [1]),
    ("test-profiles", "information", []),
    ("test-profiles", "information", {"main_agent_variables": []}),
    ("test-profiles", "information", {"main_agent_variables": {"X-A": {"b": 1}}}),
    ("test-profiles", "information", {"main_agent_variables": {"X-A": "a\r\nb"}}),
    ("test-profiles", "information", {"testing_agent_variables": {"a": "\0"}}),
]
MISSPELT: list[tuple[str, str, Any, str]] = [
    ("aiagents", "websocket_urll", "ws://a/", "websocket_urll is no field; is websocket_url meant?"),
    ("scenarios", "max_durations", 60, "max_durations is no field; is max_duration meant?"),
    (
        "scenarios",
        "expected_outcome",
        "All is well.",
        "expected_outcome is no field; is expected_outcome_prompt meant?",
    ),
    (
        "scenarios",
        "conditional_actions",
        {"conditions": [{"id": 0, "fixed_mesage": True}]},
        "conditions.0.fixed_mesage: fixed_mesage is no field; is fixed_message meant?",
    ),
    ("metrics", "passes", {"operator": ">", "value": 4}, "passes is no field; is pass meant?"),
    ("metrics", "pass", {"operater": ">"}, "operater: operater is no field; is operator meant?"),
    (
        "test-profiles",
        "information",
        {"main_agent_variable": {}},
        "main_agent_variable: main_agent_variable is no field; is main_agent_variables meant?",
    ),
]


@pytest_asyncio.fixture
async def author(server: Server) -> AsyncIterator[Client]:
    async with desk_of(server) as desk:
        yield await Desk.person(desk)


async def refused(author: Client, kind: str, field: str, body: dict[str, Any]) -> None:
    """Check that a body is refused for one field, with a sentence."""
    answer = await author.post(f"{kind}/", body, 400)
    assert field in answer, (body, answer)
    for messages in answer.values():
        assert messages
        assert all(isinstance(message, str) and message for message in messages)


async def test_what_is_wrong_with_an_agent_is_named(author: Client) -> None:
    for field, value in WRONG_AGENTS:
        await refused(author, "aiagents", field, {"agent_name": "shop", field: value})
    assert list(await author.post("aiagents/", {}, 400)) == ["agent_name"]


async def test_what_is_wrong_with_a_scenario_is_named(author: Client) -> None:
    agent = await author.create("aiagents")
    least = {"name": "s", "agent": agent, "instructions": "i"}
    for field, value in WRONG_SCENARIOS:
        await refused(author, "scenarios", field, {**least, field: value})
    acts = {**least, "scenario_type": "conditional_actions"}
    await refused(author, "scenarios", "conditional_actions", acts)
    metric = await author.create("metrics")
    await refused(author, "scenarios", "metrics", {**least, "metrics": [metric, metric]})
    several = await author.post("scenarios/", {"agent": "x", "tags": 1, "max_duration": 1}, 400)
    assert set(several) == {"name", "agent", "tags", "max_duration"}
    assert (await author.get("scenarios"))["count"] == 0


async def test_what_is_wrong_with_other_resources_is_named(author: Client) -> None:
    for kind, field, value in WRONG_OTHERS:
        await refused(author, kind, field, {"name": "n", "prompt": "p", field: value})
    await refused(author, "metrics", "prompt", {"name": "n"})
    await refused(author, "metrics", "options", {"name": "n", "prompt": "p", "eval_type": "enum"})
    await refused(author, "metrics", "name", {"name": "n", "type": "built_in"})
    for code in (None, "", "data.", "import os", "(" * 2000, "[" * 4000, "!" * 4000, "a" * 4001):
        await refused(author, "metrics", "code", {"name": "n", "type": "custom_code", "code": code})


async def test_a_field_that_is_misspelt_is_not_swallowed(author: Client) -> None:
    least: dict[str, Any] = {"name": "n", "agent_name": "n", "prompt": "p", "instructions": "i"}
    least["agent"] = await author.create("aiagents")
    for kind, field, value, problem in MISSPELT:
        answer = await author.post(f"{kind}/", {**least, field: value}, 400)
        assert list(answer) == [field]
        assert problem in answer[field]
    metric = await author.create("metrics")
    await author.ask("PATCH", f"metrics/{metric}", {"passs": None}, status=400)
    many = {f"max_duration{n}": 1 for n in range(9_000)}
    await author.post("scenarios/", {**least, **many}, 400)


async def test_other_unknown_fields_and_what_was_answered_are_ignored(author: Client) -> None:
    agent = await author.create("aiagents", provider="own", project=7)
    found = await author.get(f"aiagents/{agent}/")
    assert "provider" not in found
    await author.ask("PUT", f"aiagents/{agent}/", found, status=200)
    metric = await author.create("metrics", enum_values=[], audio_enabled=False)
    await author.ask("PUT", f"metrics/{metric}/", await author.get(f"metrics/{metric}/"), status=200)


async def test_changes_are_checked_as_new_resources_are(author: Client) -> None:
    agent = await author.create("aiagents")
    scenario = await author.create("scenarios", agent=agent)
    before = await author.get(f"scenarios/{scenario}")
    for method in ("PUT", "PATCH"):
        body = {"name": "s", "instructions": "i", "agent": agent + 1000}
        answer = await author.ask(method, f"scenarios/{scenario}", body, status=400)
        assert answer == {"agent": [f"There is no agent {agent + 1000}."]}
    answer = await author.ask("PATCH", f"scenarios/{scenario}", {"instructions": ""}, status=400)
    assert list(answer) == ["instructions"]
    assert list(await author.ask("PUT", f"scenarios/{scenario}", {"name": "s"}, status=400)) == ["agent"]
    assert await author.get(f"scenarios/{scenario}") == before


async def test_no_value_of_any_field_breaks_anything(author: Client) -> None:
    agent = await author.create("aiagents")
    for kind, model in RESOURCES.items():
        for field in ("id", *(f.alias or name for name, f in model.model_fields.items())):
            for value in HOSTILE:
                body = {"name": "n", "agent_name": "n", "agent": agent, "instructions": "i", field: value}
                status, answer = await author.outcome(f"{kind}/", body)
                assert status in (201, 400), (kind, field, value, answer)
                assert status == 201 or isinstance(answer, dict)


async def test_bodies_that_are_no_json_objects_are_refused(author: Client) -> None:
    for data in (b"{", b"\xff", b"nonsense", b"[" * 100_000, b'{"a": "\\', b'{"n": ' + b"9" * 100_000):
        answer = orjson.loads(await author.raw("POST", "aiagents/", status=400, data=data))
        assert list(answer) == ["detail"]
    for data in (b"[]", b"1", b'"x"', b"null", b"true"):
        answer = orjson.loads(await author.raw("POST", "aiagents/", status=400, data=data))
        assert list(answer) == ["non_field_errors"]
    for value in (
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b"9" * 30,
        b'"\\ud800"',
        b"[" * 60 + b"]" * 60,
    ):
        data = b'{"agent_name": "shop", "description": ' + value + b"}"
        answer = orjson.loads(await author.raw("POST", "aiagents/", status=400, data=data))
        assert list(answer) == ["description"], value
    await author.raw("POST", "aiagents/", status=400, data=b'{"\\ud800": NaN}')
    large = orjson.dumps({"agent_name": "shop", "description": "x" * 300_000})
    assert list(orjson.loads(await author.raw("POST", "aiagents/", status=413, data=large))) == ["detail"]
    assert (await author.get("aiagents/"))["count"] == 0
