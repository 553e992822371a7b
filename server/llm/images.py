"""Images from the endpoint's image model."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import openai
import orjson
import structlog
from openai import AsyncOpenAI

from server.errors import Unavailable, Upstream
from server.llm.bodies import FAILURES, READ_ERRORS
from server.llm.failures import BROKE_OFF, UNREADABLE, Refused, refusal, reported, upstream

MAX_IMAGE = 10 * 1024 * 1024
_MAX_BODY = MAX_IMAGE * 4 // 3 + 64 * 1024  # base64, and what stands around it
_NO_MODEL = "No image model is configured; set GREENROOM_IMAGE_MODEL to one that the model endpoint offers."
_TOO_LARGE = f"The image model sent an image above {MAX_IMAGE // 1024 // 1024} MB; ask for a smaller size."
_MAGIC = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))
_MAX_URL = 2_000
# What RFC 3986 allows in an address, without the quote: no spaces, controls, quotes or brackets of markup.
_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&()*+,;=%-]+", re.ASCII)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Image:
    """A made image: its bytes with their media type, or, where the endpoint keeps it, its address."""

    data: bytes | None = None
    media_type: str | None = None
    url: str | None = None


class Images:
    """The image model of an endpoint; None when there is none."""

    def __init__(self, client: AsyncOpenAI, model: str | None) -> None:
        self._client = client
        self._model = model
        self._format = True  # newer models send bytes always, and refuse to be told so

    async def make(self, prompt: str, *, size: str | None) -> Image:
        """Ask for an image; raises Unavailable without a model, and Upstream."""
        if self._model is None:
            raise Unavailable(_NO_MODEL, retryable=False)
        body: dict[str, Any] = {"model": self._model, "prompt": prompt, "n": 1}
        if size is not None:
            body["size"] = size
        while True:
            told = {"response_format": "b64_json"} if self._format else {}
            try:
                return _image(await self._post(body | told))
            except openai.APIStatusError as error:
                refused = Refused.of(error)
                if told and refused.status in (400, 422) and "response_format" in refused.said:
                    self._format = False
                    continue
                _log.warning("image model refused", status=refused.status, code=refused.code)
                raise refusal(refused) from None
            except FAILURES as error:
                _log.warning("image model failed", kind=type(error).__name__)
                raise upstream(error) from None

    async def _post(self, body: dict[str, Any]) -> bytes:
        images = self._client.images.with_streaming_response
        async with images.generate(prompt=body["prompt"], extra_body=body) as response:
            whole = bytearray()
            try:
                async for part in response.iter_bytes():
                    whole += part
                    if len(whole) > _MAX_BODY:
                        raise Upstream(_TOO_LARGE, retryable=False)
            except READ_ERRORS:
                raise Upstream(BROKE_OFF) from None
        return bytes(whole)


def _image(body: bytes) -> Image:
    try:
        whole = orjson.loads(body)
        if whole.get("error"):
            raise reported(whole["error"])
        one = whole["data"][0]
        if not one.get("b64_json"):
            return _at(one["url"])
        data = base64.b64decode(one["b64_json"], validate=True)
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, binascii.Error):
        raise Upstream(UNREADABLE) from None
    if len(data) > MAX_IMAGE:
        raise Upstream(_TOO_LARGE, retryable=False)
    return Image(data=data, media_type=_media_type(data))


def _at(url: object) -> Image:
    """Return the image at an address; it is shown to people, so nothing in it may end an attribute."""
    if not isinstance(url, str) or len(url) > _MAX_URL or not _URL.fullmatch(url):
        raise Upstream(UNREADABLE)
    parts = urlsplit(url)  # like its port, ValueError for what is none
    if not parts.hostname or parts.port == 0 or parts.username is not None:
        raise Upstream(UNREADABLE)
    return Image(url=url)


def _media_type(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    for magic, media_type in _MAGIC:
        if data.startswith(magic):
            return media_type
    raise Upstream(UNREADABLE)
