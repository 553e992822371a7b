"""What is neither a JSON body nor its answer is as documented too: forms, and the socket of batch jobs."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio

from server.engine.ids import new
from tests.documents.checked import Checked
from tests.support.batches import job_of
from tests.support.clients import PATIENCE
from tests.support.running import Server

DOCUMENTS = "/api/v1/pipelines/{pipeline_id}/documents"
FORM = "multipart/form-data"


async def test_files_are_sent_as_documented(
    checked: Checked, server: Server, http: aiohttp.ClientSession
) -> None:
    made = await checked.ask("POST", "/api/v1/pipelines", {"name": "Handbook"}, status=201)
    content = checked.document["paths"][DOCUMENTS]["put"]["requestBody"]["content"]
    assert set(content) == {"application/json", FORM}
    form = content[FORM]
    url = server.url + DOCUMENTS.replace("{pipeline_id}", made["id"])
    samples = {"file": "Cups are washed by hand.", "metadata": {"of": "cups"}, "id": "cups"}
    checked.validate(form["schema"], {**samples, "file": [samples["file"]]}, where=FORM)
    for left_out in (None, "id", "metadata", "file"):
        data = aiohttp.FormData()
        for name in form["schema"]["properties"].keys() - {left_out}:
            value, encoding = samples[name], form["encoding"].get(name, {"contentType": "text/plain"})
            kind = encoding["contentType"].partition(",")[0]
            text = value if isinstance(value, str) else orjson.dumps(value).decode()
            data.add_field(name, text, filename="cups.md" if name == "file" else None, content_type=kind)
        async with http.put(url, data=data, headers=checked.headers) as response:
            assert response.status == (422 if left_out in form["schema"]["required"] else 200), left_out


class Socket:
    """The socket of batch jobs; what is said on it is held to the document."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, checked: Checked) -> None:
        self._ws = ws
        self._checked = checked

    async def say(self, name: str, message: object) -> None:
        """Send a message."""
        self.check(name, message)
        await self._ws.send_json(message)

    async def heard(self) -> Any:
        """Return what is said next."""
        return orjson.loads(await self._ws.receive_str(timeout=PATIENCE))

    def check(self, name: str, message: object) -> None:
        """Hold a message to the document."""
        payload = self._checked.document["components"]["messages"][name]["payload"]
        self._checked.validate(payload, message, where=name)


@pytest_asyncio.fixture
async def job_socket(checked: Checked, server: Server, http: aiohttp.ClientSession) -> AsyncIterator[Socket]:
    """Connect an author."""
    async with http.get(server.url + "/asyncapi.json") as response:
        document = await response.json()
    async with http.ws_connect(server.url + "/api/ws/start-batch-job", headers=checked.headers) as ws:
        yield Socket(ws, Checked(http, server.url, {"paths": {}, **document}))


async def test_a_job_is_sent_and_told_as_documented(job_socket: Socket) -> None:
    await job_socket.say("job", job_of())
    results = []
    while "match_score" in (told := await job_socket.heard()):
        results.append(told)
    assert results
    for result in results:
        job_socket.check("job_result", result)
    job_socket.check("job_summary", told)


@pytest.mark.parametrize(
    ("name", "message", "code"),
    [
        ("job_resume", {"resume": new(), "from": 2}, "not_found"),
        ("job_cancel", {"cancel": True}, "conflict"),  # there is no job yet
    ],
)
async def test_errors_are_told_as_documented(
    job_socket: Socket, name: str, message: object, code: str
) -> None:
    await job_socket.say(name, message)
    told = await job_socket.heard()
    job_socket.check("job_error", told)
    assert told["code"] == code
