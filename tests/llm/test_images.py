"""Images from the endpoint's image model."""

import base64
from collections.abc import Callable

import pytest

from server.errors import Unavailable, Upstream
from server.llm import Image, Models
from server.llm.images import MAX_IMAGE
from server.llm.scripted import ScriptedModel
from server.llm.scripted_answers import PNG

Connect = Callable[..., Models]
IMAGES = {"match": {"endpoint": "images"}}


def answer(data: bytes) -> dict[str, object]:
    return {"data": [{"b64_json": base64.b64encode(data).decode()}]}


async def test_an_image_is_made(scripted: ScriptedModel, connect: Connect) -> None:
    image = await connect(image_model="painter").image("a red kite", size="1024x1024")
    assert image == Image(data=PNG, media_type="image/png")
    (seen,) = scripted.requests
    assert (seen.endpoint, seen.model, seen.messages[0]["content"]) == ("images", "painter", "a red kite")
    assert seen.body == {
        "model": "painter",
        "prompt": "a red kite",
        "n": 1,
        "size": "1024x1024",
        "response_format": "b64_json",
    }


async def test_without_a_model_the_setting_is_named(scripted: ScriptedModel, models: Models) -> None:
    with pytest.raises(Unavailable, match="GREENROOM_IMAGE_MODEL") as caught:
        await models.image("a red kite")
    assert not caught.value.may_retry
    assert scripted.requests == []


async def test_an_image_may_be_an_address(scripted: ScriptedModel, connect: Connect) -> None:
    scripted.script([IMAGES | {"json": {"data": [{"url": "https://images.example/1.png"}]}}])
    assert await connect(image_model="painter").image("x") == Image(url="https://images.example/1.png")


async def test_the_form_is_not_asked_for_once_refused(scripted: ScriptedModel, connect: Connect) -> None:
    error = {"message": "Unknown parameter: 'response_format'.", "param": "response_format"}
    scripted.script([IMAGES | {"status": 400, "error": error, "times": 1}])
    models = connect(image_model="painter")
    assert (await models.image("x")).data == (await models.image("y")).data == PNG
    assert ["response_format" in seen.body for seen in scripted.requests] == [True, False, False]


@pytest.mark.parametrize(
    "url",
    [
        'http://x/"><script>alert(1)</script>',
        "http://x/'onerror=alert(1)",
        "http://x/`",
        "http://x/<b>",
        "http://x/a b",
        "http://x/\0",
        "http://x/\n",
        "http://x/\u0085",
        "http://x/\u202e",
        "http://x/\\y",
        "http://",
        "http:///path",
        "http://[::1/x",
        "http://host:port/",
        "http://host:99999/",
        "http://user:secret@host/",
        "javascript:alert(1)",
        "//host/x",
        " http://host/",
        "http://host/" + "x" * 2_000,
        5,
        ["http://host/"],
    ],
)
async def test_an_odd_address_is_refused(scripted: ScriptedModel, connect: Connect, url: object) -> None:
    scripted.script([IMAGES | {"json": {"data": [{"url": url}]}}])
    with pytest.raises(Upstream, match="cannot be read"):
        await connect(image_model="painter").image("x")


@pytest.mark.parametrize(
    "url",
    [
        "https://images.example:8443/a/b%20c.png?sv=2024&sig=a%2Bb%3D%3D&se=2026-01-01T00:00:00Z#top",
        "http://[::1]:9000/x.png",
        "http://127.0.0.1/x.png",
    ],
)
async def test_an_usual_address_is_taken(scripted: ScriptedModel, connect: Connect, url: str) -> None:
    scripted.script([IMAGES | {"json": {"data": [{"url": url}]}}])
    assert await connect(image_model="painter").image("x") == Image(url=url)


@pytest.mark.parametrize(
    ("rule", "words", "retryable"),
    [
        ({"status": 401}, "refused the key", False),
        ({"status": 404}, "does not know", False),
        ({"status": 429, "retry_after": 7}, "rate limited", True),
        ({"status": 400, "error": {"code": "content_filter", "message": "x"}}, "content filter", False),
        ({"status": 503}, "failed (HTTP 503)", True),
        ({"break_after": 0}, "cannot be reached|broke off", True),
        ({"hang": True}, r"did not answer within 0\.3 s", True),
        ({"json": {"error": {"code": "content_filter"}}}, "content filter", False),
        ({"json": {"data": []}}, "cannot be read", True),
        ({"json": {"data": [{"url": "file:///etc/passwd"}]}}, "cannot be read", True),
        ({"json": answer(b"<svg/>")}, "cannot be read", True),
        ({"json": answer(PNG + b"\0" * MAX_IMAGE)}, "above 10 MB", False),
        ({"json": answer(b"\0" * (MAX_IMAGE + 200_000))}, "above 10 MB", False),
    ],
)
async def test_failures_are_said_in_safe_words(
    scripted: ScriptedModel, connect: Connect, rule: dict[str, object], words: str, retryable: bool
) -> None:
    scripted.script([IMAGES | rule])
    with pytest.raises(Upstream, match=words.replace("(", r"\(").replace(")", r"\)")) as caught:
        await connect(image_model="painter", timeout=0.3 if "hang" in rule else 10).image("x")
    assert caught.value.may_retry is retryable


async def test_rules_for_chats_are_not_for_images(scripted: ScriptedModel, connect: Connect) -> None:
    scripted.script([{"status": 500}])
    assert (await connect(image_model="painter").image("x")).data == PNG
