"""`chat`, as a process against a server with a scripted model: piped, and in a terminal."""

import signal
from pathlib import Path

import pytest

from tests.cli.programs import Finished, command
from tests.cli.terminal import terminal
from tests.support.grounded import load_grounded
from tests.support.running import Server

END = "This was the last conversation."


@pytest.fixture
def options(server: Server, tmp_path: Path) -> tuple[str, ...]:
    """Point the chat at the tests' server, with a learner's token."""
    token = server.token("0b6e1c1e-6f7b-4a3c-9b57-0d6f0f5b2c11")
    return ("chat", "--url", server.url, "--token", token, "--data-dir", str(tmp_path))


async def chat(options: tuple[str, ...], *lines: str, practice: str) -> Finished:
    return await command(*options, "--practice", practice, stdin="".join(f"{line}\n" for line in lines))


def in_order(text: str, *parts: str) -> None:
    at = 0
    for part in parts:
        found = text.find(part, at)
        assert found >= 0, f"no {part!r} after {text[:at]!r} in {text!r}"
        at = found + len(part)


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
        "writing strengths, improvements and analyses …",
        "Listening",
        "Total (",
        END,
        "> /grade",
        "Listening",
    )
    in_order(finished.out, *parts)
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


async def test_documents_are_shown_at_the_start_and_on_demand(options: tuple[str, ...]) -> None:
    finished = await chat(options, "/documents", "/help", "/questions", "/nonsense", practice="For everyone")
    opening, _, later = finished.out.partition("> /documents")
    for shown in (opening, later):
        assert "─ Note ─" in shown
        assert "A loop repeats." in shown
    for name in ("stop", "documents", "questions", "answer", "end", "grade", "help", "quit"):
        assert f"\n/{name} " in later
    assert "This conversation asks no questions." in later
    assert "There is no such command." in later


async def test_videos_and_questions_are_shown_and_answered(server: Server, options: tuple[str, ...]) -> None:
    await server.script({"match": {"last_contains": "Hello"}, "reply": "Watch it first."})
    answers = ("/answer 1 b", "/answer 1 A", "/answer 2 a,c", "/answer 2 a, b", "/questions")
    slips = ("/answer", "/answer 3 a", "/answer 1 c", "/answer 1 a,b")
    finished = await chat(options, "Hello", *answers, *slips, "/end", "/answer 1 a", practice="quiz")
    assert (finished.code, finished.err) == (0, "")
    in_order(
        finished.out,
        *("video: Film", "https://example.org/film.mp4", "Somebody loops.", "Watch it first."),
        *("question 1 · at 0:03 of Film", "What is it?", "a   A loop", "question 2 · several may be right"),
        *("/answer 1 b", "Wrong.", "/answer 1 A", "Right.", "a,c", "Wrong.", "a, b", "Right.", "/questions"),
        *("answered right", "a * A loop", "b   A line", "answered right", "a * for", "b * while", "c   if"),
        *("> /answer\nAnswer with", "no question 3", "has the options a to b", "takes one option"),
        *("Total (", "> /answer 1 a\nThe conversation has ended"),
    )


async def test_homes_are_offered_beside_practices(options: tuple[str, ...]) -> None:
    async with terminal(*options) as screen:
        await screen.until("1 For everyone (assigned to you)")
        await screen.until("2 Custom first")
        screen.type("1")
        await screen.until("A plain talk")


async def test_an_open_attempt_is_gone_on_with(options: tuple[str, ...]) -> None:
    begun = await chat(options, "Hello", practice="one")
    attempt_id = begun.out.partition("--attempt ")[2].strip()
    async with terminal(*options) as screen:
        await screen.until("1 go on with One")
        screen.type("1")
        await screen.until("Hello")
        await screen.until("> ")
        screen.type("/quit")
        await screen.until(f"--attempt {attempt_id}")
    ended = await command(*options, "--attempt", attempt_id, stdin="/end\n")
    in_order(ended.out, "You: Hello", "grading: 2 of 2", "Total (", END)
    again = await command(*options, "--attempt", attempt_id)
    assert again.code == 1
    assert again.err.startswith("greenroom: This attempt has ended")


async def test_what_is_written_after_the_points_is_told_also_to_those_who_come_back(
    server: Server, options: tuple[str, ...]
) -> None:
    await server.script({"match": {"schema": "StrengthsDraft"}, "hang": True})
    async with terminal(*options, "--practice", "One") as screen:
        await screen.until("> ")
        screen.type("Hello")
        await screen.until("step by step.")
        screen.type("/end")
        await screen.until("writing strengths, improvements and analyses …")
        screen.type("Still there?")
        await screen.until("(will be sent after the grading)")
        screen.process.send_signal(signal.SIGINT)
        assert await screen.finish() == 0
    async with terminal(*options) as screen:
        await screen.until("> ")
        screen.type("1")
        await screen.until("This conversation is being graded.")


async def test_nothing_lands_in_the_middle_of_a_reply(server: Server, options: tuple[str, ...]) -> None:
    await server.script(
        {"match": {"schema": "HintsDraft"}, "json": {"hints": ["Ask why."]}, "first_delay_ms": 500},
        {"match": {"last_contains": "Hello"}, "reply": "What now?"},
        {"match": {"last_contains": "Go on"}, "reply": "One two", "hang": True},
        {"match": {"last_contains": "And then"}, "reply": "Nothing."},
    )
    async with terminal(*options, "--practice", "Hinted") as screen:
        await screen.until("> ")
        screen.type("Hello")
        await screen.until("What now?")
        screen.type("Go on")
        await screen.until("One two")
        await server.model.until("done", 2)  # the first reply and its hints
        screen.type("And then?")
        await screen.until("(will be sent after this reply)")
        screen.type("/stop")
        await screen.until("[stopped]")
        await screen.until("hint: Ask why.")
        await screen.until("Nothing.")


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


async def test_sources_are_shown_under_a_reply(server: Server, options: tuple[str, ...]) -> None:
    await load_grounded(server)
    await server.script({"reply": "In two weeks."})
    finished = await chat(options, "When are refunds paid?", practice="Counter")
    assert (finished.code, finished.err) == (0, "")
    in_order(finished.out, "Vera: In two weeks.", "source: Refunds – Refunds are paid within fourteen days")
