"""Holds docs/reading-back.md to what a server answers: every field that it shows is there."""

import json
import re
from typing import Any

import aiohttp
import pytest

from schemas.grade import Grade
from server.engine.attempts.export import COLUMNS
from server.engine.ids import new
from server.engine.replay.report_csv import REPORT_COLUMNS
from tests.imports import ROOT
from tests.support.attempts import begin
from tests.support.clients import http_client
from tests.support.running import Server

PAGE = (ROOT / "docs" / "reading-back.md").read_text()
SHORT_ID = re.compile(r'"([0-9a-f]{8})"')


def example(title: str) -> dict[str, Any]:
    """Return the JSON below a heading, with its shortened ids filled up."""
    found = re.search(rf"^## {title}\n.*?```json\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
    assert found, title
    shown: dict[str, Any] = json.loads(SHORT_ID.sub(r'"\1-0000-4000-8000-000000000000"', found[1]))
    return shown


def missing(shown: Any, real: Any, *, at: str = "") -> list[str]:
    """Return the fields of an example that an answer does not have; empty lists tell nothing."""
    if isinstance(shown, dict) and isinstance(real, dict):
        absent = [f"{at}.{name}" for name in shown if name not in real]
        inner = [missing(shown[n], real[n], at=f"{at}.{n}") for n in shown if n in real]
        return absent + [path for paths in inner for path in paths]
    if isinstance(shown, list) and isinstance(real, list) and shown and real:
        return missing(shown[0], real[-1], at=f"{at}[]")  # the last message is a reply
    return []


def with_listed_responses(room: dict[str, Any]) -> dict[str, Any]:
    """Return a room whose responses are a list, because the ids that name them differ."""
    snapshot = room["snapshot"]
    return {**room, "snapshot": {**snapshot, "responses": list(snapshot["responses"].values())}}


async def test_the_examples_have_the_fields_of_the_answers(server: Server) -> None:
    token = server.token(new())
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        http_client(server.url, token=token) as client,
        aiohttp.ClientSession(f"{server.url}/api/v1/", headers=headers) as http,
    ):

        async def read(path: str) -> dict[str, Any]:
            async with http.get(path) as answer:
                body: dict[str, Any] = await answer.json()
                return body

        await client.connect()
        talk = await begin(client, "quiz")
        await talk.say()
        question = (await read(f"chats/{talk.chat_id}"))["scenario"]["questions"][0]
        await client.send(
            "attempt_response_submit",
            chat_id=talk.chat_id,
            question_id=question["id"],
            option_ids=[question["options"][0]["id"]],
        )
        await talk.end()
        assert missing(example("A chat"), await read(f"chats/{talk.chat_id}")) == []
        assert missing(example("An attempt"), await read(f"attempts/{talk.attempt_id}")) == []
        shown, real = example("A snapshot"), await read(f"rooms/{talk.room}")
        assert missing(with_listed_responses(shown), with_listed_responses(real)) == []


def test_the_grade_has_the_fields_of_a_grade() -> None:
    shown = example("A grade")
    assert set(Grade.model_fields) - set(shown) == {"run_id"}
    assert missing(shown, Grade.model_validate(shown).model_dump()) == []


@pytest.mark.parametrize(("title", "columns"), [("Exports", COLUMNS), ("Reports of tests", REPORT_COLUMNS)])
def test_every_column_is_described(title: str, columns: tuple[str, ...]) -> None:
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    table = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(table)) == list(columns)
