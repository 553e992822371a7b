"""`chat`, as a process against a server with a scripted model: piped, and in a terminal."""

import asyncio
import contextlib
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.cli.programs import ROOT, WITHIN, Finished, command, environment
from tests.support.running import Server

END = "This was the last conversation."


@pytest.fixture
def options(server: Server, tmp_path: Path) -> tuple[str, ...]:
    """Point the chat at the tests' server, with a learner's token."""
    token = server.token("0b6e1c1e-6f7b-4a3c-9b57-0d6f0f5b2c11")
    return ("chat", "--url", server.url, "--token", token, "--data-dir", str(tmp_path))


async def chat(options: tuple[str, ...], *lines: str, practice: str) -> Finished:
    return await command(*options, "--practice", practice, stdin="".join(f"{line}\n" for line in lines))


async def test_a_talk_is_streamed_ended_and_graded(server: Server, options: tuple[str, ...]) -> None:
    await server.script({"match": {"last_contains": "loop"}, "reply": "A loop\x1b[31m repeats, right?"})
    finished = await chat(options, "What is a loop?", "/grade", "/end", "/grade", practice="one")
    assert (finished.code, finished.err) == (0, "")
    parts = (
        "A plain talk",
        "with Ada",
        "> What is a loop?",
        "Ada: A loop[31m repeats, right?",
        "/end the conversation first",
        "> /end",
        "grading: 2 of 2",
        "Listening",
        "Total (",
        END,
        "> /grade",
        "Listening",
    )
    at = 0
    for part in parts:
        found = finished.out.find(part, at)
        assert found >= 0, f"no {part!r} after {finished.out[:at]!r} in {finished.out!r}"
        at = found
    assert "\x1b" not in finished.out


async def test_a_line_waits_until_the_persona_has_spoken_first(
    server: Server, options: tuple[str, ...]
) -> None:
    await server.script({"match": {"last_contains": "Sit down"}, "reply": "Thank you."})
    finished = await chat(options, "Sit down.", practice="opening")
    assert finished.code == 0
    out = finished.out
    assert out.index("Good morning") < out.index("Bob: Thank you.")
    assert out.count("> Sit down.") == 1
    assert "The conversation stays open." in out


async def test_one_conversation_follows_the_other_past_their_lobbies(options: tuple[str, ...]) -> None:
    finished = await chat(options, "Hello", "/end", "Hello again", "/end", practice="Lobby twice")
    assert (finished.code, finished.err) == (0, "")
    assert finished.out.count("Total (") == 2
    assert finished.out.index("> Hello again") < finished.out.rindex("Total (")
    assert END not in finished.out


async def test_a_reply_is_stopped(server: Server, options: tuple[str, ...]) -> None:
    await server.script({"match": {"last_contains": "Go on"}, "reply": "One two", "hang": True})
    async with terminal(*options, "--practice", "One") as screen:
        await screen.until("> ")
        screen.type("Go on")
        await screen.until("One two")
        screen.type("/stop")
        await screen.until("[stopped]")
        screen.type("/quit")
        await screen.until("The conversation stays open.")
        assert await screen.finish() == 0


async def test_a_practice_is_chosen_by_number_and_ctrl_c_leaves(
    server: Server, options: tuple[str, ...]
) -> None:
    async with terminal(*options) as screen:
        await screen.until("> ")
        screen.type("0")
        await screen.until("Type one of the numbers.")
        screen.type("1")
        await screen.until("/quit")
        screen.process.send_signal(signal.SIGINT)
        assert await screen.finish() == 0


async def test_a_model_that_fails_is_told_and_the_talk_goes_on(
    server: Server, options: tuple[str, ...]
) -> None:
    await server.script(
        {"match": {"last_contains": "Hello"}, "status": 400},
        {"match": {"last_contains": "Again"}, "reply": "Here I am."},
    )
    finished = await chat(options, "Hello", "Again", practice="one")
    assert finished.code == 0
    assert "Here I am." in finished.out


async def test_an_unknown_practice_names_those_that_exist(options: tuple[str, ...]) -> None:
    finished = await chat(options, practice="juggling")
    assert finished.code == 1
    assert finished.err.startswith("greenroom: there is no practice 'juggling'; there are: ")


async def test_without_a_server_it_names_how_to_start_one(tmp_path: Path) -> None:
    finished = await command("chat", "--url", "http://127.0.0.1:1", "--data-dir", str(tmp_path))
    assert (finished.code, finished.out) == (2, "")
    assert "start one with python -m server demo" in finished.err
    assert finished.err.count("\n") == 1


async def test_a_token_of_another_data_directory_is_refused(server: Server, tmp_path: Path) -> None:
    finished = await command("chat", "--url", server.url, "--data-dir", str(tmp_path))
    assert finished.code == 2
    assert "refuses the token" in finished.err
    assert finished.err.count("\n") == 1


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self.process = process
        self._master = master
        self._text = ""
        self._read: asyncio.Queue[str] = asyncio.Queue()
        asyncio.get_running_loop().add_reader(master, self._take)

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._master, f"{line}\n".encode())

    async def until(self, text: str) -> None:
        """Return when a text has appeared since the last one waited for."""
        async with asyncio.timeout(WITHIN):
            while text not in self._text:
                more = await self._read.get()
                assert more, f"it ended without {text!r}: {self._text}"
                self._text += more
        self._text = self._text.partition(text)[2]

    async def finish(self) -> int:
        """Return the exit code."""
        async with asyncio.timeout(WITHIN):
            return await self.process.wait()

    def close(self) -> None:
        """Give the terminal up."""
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)

    def _take(self) -> None:
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the other side is closed
            data = b""
            asyncio.get_running_loop().remove_reader(self._master)
        self._read.put_nowait(data.decode(errors="replace"))


@asynccontextmanager
async def terminal(*words: str) -> AsyncIterator[Terminal]:
    """Run `python -m server …` in a terminal; kills it at the end."""
    master, slave = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "server", *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=ROOT,
        env=environment({"TERM": "xterm"}),
    )
    os.close(slave)
    screen = Terminal(process, master)
    try:
        yield screen
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        screen.close()
