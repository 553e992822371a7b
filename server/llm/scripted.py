"""A scripted OpenAI-compatible server: tests and offline work talk to it over real HTTP."""

import argparse
import asyncio
import json
import math
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from server.llm.script import Ask, Rule, Seen, State
from server.llm.scripted_answers import (
    call_frames,
    chunks_of,
    embeddings_of,
    ending,
    frame,
    frames_of,
    images_of,
    ranking_of,
    says,
    send_raw,
    tool_calls_of,
    whole_of,
)

__all__ = ["ScriptedModel", "Seen"]
MODELS = ("scripted", "scripted-judge", "scripted-embedding")
_STATES: dict[str, State] = {"running": "running", "done": "done", "closed_by_client": "closed_by_client"}
_RULES = TypeAdapter(list[Rule])


class ScriptedModel:
    """An OpenAI-compatible model on 127.0.0.1 whose answers are scripted by rules; the first match wins.

    It is also scripted over HTTP: `PUT /script` takes the rules, `GET /requests` lists what was asked
    (`?state=done&count=1` waits up to 10 s until so many are in that state), `DELETE /requests` forgets it.
    """

    def __init__(self, rules: Iterable[Rule | dict[str, Any]] = ()) -> None:
        self.requests: list[Seen] = []
        self._rules: list[Rule] = []
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self.script(rules)

    def script(self, rules: Iterable[Rule | dict[str, Any]]) -> None:
        """Replace the rules; raises pydantic's ValidationError when one is not a rule."""
        self._rules = _RULES.validate_python(
            [r.model_copy() if isinstance(r, Rule) else r for r in rules],
        )

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> str:
        """Listen and return the base URL for an OpenAI client, with /v1."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/images/generations", self._image)
        app.router.add_post("/v1/embeddings", self._embeddings)
        app.router.add_post("/v1/rerank", self._rerank)
        app.router.add_put("/script", self._put_script)
        app.router.add_get("/requests", self._get_requests)
        app.router.add_delete("/requests", self._delete_requests)
        # Handlers are cancelled when the client goes, so that even a hanging answer notices it.
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        bound: int = self._runner.addresses[0][1]
        return f"http://{host}:{bound}/v1"

    async def stop(self) -> None:
        """Stop listening and cut what runs; safe to call twice."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def until(self, state: State, count: int = 1, *, within: float = 28) -> list[Seen]:
        """Wait until so many requests are in a state and return them; raises TimeoutError."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(lambda: len(self._in(state)) >= count)
        return self._in(state)

    def _in(self, state: State) -> list[Seen]:
        return [r for r in self.requests if r.state == state]

    async def _note(self, seen: Seen, state: State) -> None:
        seen.state = state
        async with self._changed:
            self._changed.notify_all()

    # --- control ---------------------------------------------------------------------------------------

    async def _put_script(self, request: web.Request) -> web.Response:
        try:
            self.script(await request.json())
        except (ValidationError, ValueError, TypeError) as error:
            return web.Response(status=400, text=f"not a list of rules: {error}\n")
        return web.Response(status=204)

    async def _get_requests(self, request: web.Request) -> web.Response:
        state = _STATES.get(request.query.get("state", ""))
        if state is not None:
            with suppress(TimeoutError):
                await self.until(state, int(request.query.get("count", "1")))
        return _json([r.model_dump() for r in self.requests if state in (None, r.state)])

    async def _delete_requests(self, _request: web.Request) -> web.Response:
        self.requests.clear()
        return web.Response(status=204)

    # --- the OpenAI API --------------------------------------------------------------------------------

    async def _models(self, _request: web.Request) -> web.Response:
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "greenroom"} for name in MODELS]
        return _json({"object": "list", "data": data})

    async def _embeddings(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        try:
            ask = Ask.of_texts(body)
        except ValidationError:
            return _invalid("model and input are needed")
        return await self._serve(request, ask, body)

    async def _rerank(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        try:
            ask = Ask.of_ranking(body)
        except ValidationError:
            return _invalid("query and documents are needed")
        return await self._serve(request, ask, body)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        try:
            ask = Ask.of(body)
        except ValidationError:
            return _invalid("model and messages are needed")
        return await self._serve(request, ask, body)

    async def _image(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        try:
            ask = Ask.of_image(body)
        except ValidationError:
            return _invalid("model and prompt are needed")
        return await self._serve(request, ask, body)

    async def _serve(self, request: web.Request, ask: Ask, body: dict[str, Any]) -> web.StreamResponse:
        seen = Seen(
            id=len(self.requests) + 1,
            endpoint=ask.endpoint,
            model=ask.model,
            messages=ask.messages,
            tools=ask.tools,
            response_format=ask.schema_name,
            stream=ask.stream,
            body=body,
            at=time.monotonic(),
            key=request.headers.get("Authorization", "").removeprefix("Bearer "),
            peer=request.transport.get_extra_info("peername")[1] if request.transport else 0,
        )
        self.requests.append(seen)
        await self._note(seen, "running")
        state: State = "done"
        try:
            return await self._answer(request, ask, seen)
        except (asyncio.CancelledError, ConnectionError):
            state = "closed_by_client"
            raise
        finally:
            await self._note(seen, state)

    def _rule(self, ask: Ask) -> Rule:
        for rule in self._rules:
            if rule.times != 0 and ask.meets(rule.match):
                if rule.times is not None:
                    rule.times -= 1
                return rule
        return Rule()

    async def _answer(self, request: web.Request, ask: Ask, seen: Seen) -> web.StreamResponse:
        rule = self._rule(ask)
        chunks = chunks_of(rule, ask)
        if rule.first_delay_ms:
            await asyncio.sleep(rule.first_delay_ms / 1000)
        if rule.raw is not None:
            return await send_raw(request, rule)
        if rule.status is not None:
            seen.status = rule.status
            return _refusal(rule)
        if rule.hang and (not ask.stream or not says(rule)):
            await asyncio.Event().wait()
        if ask.stream:
            return await self._stream(request, ask, seen, rule=rule, chunks=chunks)
        if rule.break_after is not None:
            return _cut(request, web.Response())
        if ask.endpoint != "chat":
            return _json(_other(rule, ask, seen.body))
        if rule.delay_ms:
            await asyncio.sleep(rule.delay_ms * len(chunks) / 1000)
        seen.chunks = len(chunks)
        return _json(whole_of(rule, ask, chunks, request=seen.id))

    async def _stream(
        self, request: web.Request, ask: Ask, seen: Seen, *, rule: Rule, chunks: Sequence[str]
    ) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )
        if rule.gzip:
            response.enable_compression(web.ContentCoding.gzip)
        await response.prepare(request)
        frames = frames_of(ask, chunks) + call_frames(ask, tool_calls_of(rule, seen.id))
        limit = len(frames) if rule.break_after is None else min(rule.break_after, len(frames))
        delay = rule.delay_ms / 1000
        for start in range(0, limit, rule.batch):
            part = frames[start : min(start + rule.batch, limit)]
            await response.write(b"".join(part) if len(part) > 1 else part[0])
            seen.chunks += len(part)
            # Without a delay the loop gets a turn, so that each write is a packet of its own.
            await asyncio.sleep(delay)
        if rule.break_after is not None:
            return _cut(request, response)
        if rule.hang:
            await asyncio.Event().wait()
        if rule.error is not None:
            await response.write(frame({"error": rule.error}))
        else:
            await response.write(ending(ask, rule, chunks))
        await response.write_eof()
        return response


def _other(rule: Rule, ask: Ask, body: dict[str, Any]) -> object:
    """Return the answer of an endpoint that does not chat."""
    if ask.endpoint == "images":
        return images_of(rule)
    return rule.json_value or (ranking_of(body) if ask.endpoint == "rerank" else embeddings_of(body))


def _refusal(rule: Rule) -> web.Response:
    error = rule.error or {"message": "scripted failure", "type": "scripted", "code": None, "param": None}
    response = _json({"error": error}, status=rule.status or 500)
    if rule.retry_after is not None:
        seconds = rule.retry_after
        response.headers["Retry-After"] = str(math.ceil(seconds))
        response.headers["Retry-After-Ms"] = str(seconds * 1000)
    return response


def _cut(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Close the connection without ending the answer, after what was written has left."""
    if request.transport is not None:
        request.transport.close()
    return response


def _invalid(message: str) -> web.Response:
    return _json({"error": {"message": message, "type": "invalid_request_error"}}, status=400)


def _json(value: object, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


async def serve(*, port: int, rules: Iterable[Rule | dict[str, Any]] = ()) -> None:
    """Serve until cancelled; prints the base URL first."""
    model = ScriptedModel(rules)
    try:
        print(await model.start(port), flush=True)
        await asyncio.Event().wait()
    finally:
        await model.stop()


def main() -> None:
    """Run the scripted model from the command line."""
    parser = argparse.ArgumentParser(prog="python -m server.llm.scripted", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--script", type=Path, help="JSON file with a list of rules")
    options = parser.parse_args()
    rules = json.loads(options.script.read_text()) if options.script else []
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(port=options.port, rules=rules))


if __name__ == "__main__":
    main()
