"""Readiness and figures while the bell comes and goes, and when the loop stands still."""

import asyncio
import socket as stdsocket
from contextlib import ExitStack
from typing import Any

import aiohttp
import structlog
from pydantic import SecretStr

from server.llm.scripted import ScriptedModel
from server.logs import ERRORS
from server.transports import keys
from server.transports.http_health import PULSE, STALLED_SECONDS
from tests.support.running import Server, running, settings_for
from tests.support.valkey import valkey_server

PATIENCE = 20


async def until_ready(url: str, **wanted: str) -> int:
    """Ask until readiness says what is wanted; return its code."""
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"{url}/health/ready") as response:
                body: dict[str, Any] = await response.json()
            if all(body.get(name) == value for name, value in wanted.items()):
                return response.status


async def figure(url: str, name: str) -> float:
    """Return one of the figures."""
    async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as response:
        lines = (await response.text()).splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"greenroom_{name} "))


async def test_health_has_its_usual_addresses(server: Server) -> None:
    async with aiohttp.ClientSession() as http:
        for ours, older in (("/healthz", "/health/live"), ("/readyz", "/health/ready")):
            async with http.get(server.url + ours) as new, http.get(server.url + older) as old:
                assert (new.status, await new.json()) == (old.status, await old.json())
                assert (await new.json())["status"] == "ok"


async def test_a_process_without_a_bell_is_ready(server: Server) -> None:
    assert await until_ready(server.url, status="ok") == 200
    assert await figure(server.url, "bell_healthy") == 1


async def test_a_bell_that_is_away_degrades_and_comes_back(
    mongod_url: str, model: tuple[ScriptedModel, str]
) -> None:
    async with valkey_server() as valkey:
        settings = settings_for(mongod_url, model[1], redis_url=SecretStr(valkey.url))
        async with running(settings) as (url, app):
            assert await until_ready(url, status="ok") == 200
            await valkey.kill()
            assert await until_ready(url, status="degraded", bell="away") == 200
            assert await figure(url, "bell_healthy") == 0
            await valkey.start()
            assert await until_ready(url, status="ok") == 200
            assert await figure(url, "bell_healthy") == 1
            assert await figure(url, "bell_age") < 10
            assert app[keys.BELL].healthy


async def test_a_loop_that_stood_still_is_not_ready(server: Server) -> None:
    pulse = server.app[PULSE]
    pulse._ticked_at -= STALLED_SECONDS + 1
    assert pulse.stalled
    assert await until_ready(server.url, status="unavailable", loop="stalled") == 503
    pulse._stalled_until = 0.0
    assert await until_ready(server.url, status="ok") == 200


async def test_what_a_process_holds_is_told(server: Server) -> None:
    tasks, files = await figure(server.url, "tasks"), await figure(server.url, "open_files")
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{server.url}/socket/v5/client/connect") as response,
    ):
        opened = await response.json()
        assert await figure(server.url, "http_sessions") == 1
        async with http.get(server.url + opened["stream"]) as stream:
            await stream.content.readline()
            assert await figure(server.url, "streams") == 1
            assert await figure(server.url, "tasks") > tasks > 0
            with ExitStack() as opened_here:  # more than the pool of the database closes meanwhile
                for _ in range(20):
                    opened_here.enter_context(stdsocket.socket())
                assert await figure(server.url, "open_files") > files > 0


async def test_errors_that_are_logged_are_counted(server: Server) -> None:
    """Only a process of its own sets up its log; what counts is a part of that."""
    parts = (structlog.processors.add_log_level, ERRORS, structlog.processors.JSONRenderer())
    log = structlog.wrap_logger(structlog.PrintLogger(), processors=parts)
    before = await figure(server.url, "errors_total")
    log.error("it_broke")
    log.warning("it_bent")
    assert await figure(server.url, "errors_total") == before + 1
