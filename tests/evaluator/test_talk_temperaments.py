"""Talks with agents of every temperament: each ends with the right status, reason and transcript."""

from dataclasses import replace

import pytest

from schemas.evaluator_run import EndedReason, TalkStatus
from tests.evaluator.agents import Call, Temperament, agent
from tests.evaluator.talking import BYE, HELLO, QUICK, Lines, said, talked

CALL = {"id": "c1", "name": "book", "arguments": '{"people": 4}'}
End = tuple[TalkStatus, EndedReason]
AGENT_ENDED: End = ("completed", "Main agent-ended-call")
WE_ENDED: End = ("completed", "Testing agent-ended-call")
NO_CALL: End = ("failed", "Main agent-call-not-connected")


async def calls_functions(call: Call) -> None:
    await call.hear()
    await call.send({"role": "Function Call", "data": CALL})
    await call.send({"role": "Function Call Result", "data": {"id": "c1", "result": "booked"}})
    await call.say("It is booked.", metadata={"booking": 7})
    await call.answer_all()


async def repeats_function_ids(call: Call) -> None:
    await call.hear()
    for name in ("find", "book"):
        await call.send({"role": "Function Call", "data": {**CALL, "name": name}})
    for _ in range(2):
        await call.send({"role": "Function Call Result", "data": {"id": "c1", "result": {"ok": True}}})
    await call.send({"role": "Function Call Result", "data": {"id": "other", "result": "x"}})
    await call.say("Done.")
    await call.answer_all()


async def speaks_plainly(call: Call) -> None:
    await call.ws.send_str("Error: no such table")
    await call.hear()
    await call.ws.send_str('{"status": "thinking"}')
    await call.ws.send_bytes(b"\x00\x01")
    await call.answer_all()


async def closes_in_mid_turn(call: Call) -> None:
    await call.hear()
    await call.say("One moment")
    await call.ws.close(code=1011, message=b"out of memory")


async def resets_in_mid_turn(call: Call) -> None:
    await call.hear()
    await call.say("One moment")
    await call.hear()
    call.drop()


async def resets_at_once(call: Call) -> None:
    await call.hear()
    call.drop()


async def closes_at_once(call: Call) -> None:
    await call.ws.send_str("Error: no such table")
    await call.ws.close(code=1011, message=b"out of memory")


async def ends_before_its_last_text(call: Call) -> None:
    await call.hear()
    await call.send({"content": "the end", "type": "end"})
    await call.say("Good bye!")
    await call.hear()


async def ends_with_its_last_text(call: Call) -> None:
    await call.hear()
    await call.say("Good bye!", type="end_call")
    await call.hear()


async def only_ends(call: Call) -> None:
    await call.hear()
    await call.send({"type": "end_call"})
    await call.hear()


async def answers_the_end(call: Call) -> None:
    while (heard := await call.hear()) is not None:
        await call.say("And another thing", **{"type": "end_call"} if "type" in heard else {})
        if "type" in heard:
            await call.say("and another")


async def says_strange_things(call: Call) -> None:
    await call.hear()
    await call.ws.send_str('{"content": "a\\u0000b\\ud800c"}')
    await call.ws.send_str('{"content": ' + "[" * 50_000 + "]" * 50_000 + "}")
    await call.answer_all()


# fmt: off
TEMPERAMENTS: list[tuple[Temperament, End, list[str]]] = [
    (calls_functions, WE_ENDED,
     ["T: Hello", 'F: book({"people": 4})', "R: booked", "A: It is booked.", "T: Bye"]),
    (repeats_function_ids, WE_ENDED,
     ["T: Hello", 'F: find({"people": 4})', 'F: book({"people": 4})', 'R: {"ok":true}', 'R: {"ok":true}',
      "R: x", "A: Done.", "T: Bye"]),
    (closes_in_mid_turn, AGENT_ENDED, ["T: Hello", "A: One moment"]),
    (resets_in_mid_turn, AGENT_ENDED, ["T: Hello", "A: One moment", "T: Hello"]),
    (resets_at_once, NO_CALL, ["T: Hello"]),
    (ends_before_its_last_text, AGENT_ENDED, ["T: Hello", "A: Good bye!"]),
    (ends_with_its_last_text, AGENT_ENDED, ["T: Hello", "A: Good bye!"]),
    (only_ends, AGENT_ENDED, ["T: Hello"]),
    (answers_the_end, WE_ENDED, ["T: Hello", "A: And another thing", "T: Hello", "A: And another thing",
                                 "T: Bye"]),
    (says_strange_things, WE_ENDED, ["T: Hello", "A: a\ufffdb?c", "T: Hello", "A: Yes?", "T: Bye"]),
]
# fmt: on


@pytest.mark.parametrize(
    ("temperament", "end", "transcript"), TEMPERAMENTS, ids=[row[0].__name__ for row in TEMPERAMENTS]
)
async def test_a_temperament(temperament: Temperament, end: End, transcript: list[str]) -> None:
    turns = [HELLO, BYE] if any(line == "T: Hello" for line in transcript[1:]) else [BYE]
    async with agent(temperament) as running:
        result = await talked(running.url, Lines(then=turns))
    assert (result.status, result.ended_reason) == end
    assert said(result) == transcript


async def test_functions_are_matched_by_id_and_answered_by_nothing() -> None:
    async with agent(calls_functions) as running:
        result = await talked(running.url)
    call, outcome = result.transcript[1:3]
    assert call.data == CALL
    assert outcome.data == {"id": "c1", "name": "book", "result": "booked"}
    assert result.metadata == {"booking": 7}
    assert running.got == [{"content": "Hello"}, {"content": "Bye", "type": "end_call"}]
    async with agent(repeats_function_ids) as running:
        result = await talked(running.url)
    results = [item.data for item in result.transcript if item.role == "Function Call Result"]
    assert [data and data.get("name") for data in results] == ["book", "book", None]


async def test_frames_that_are_no_messages_are_kept_beside_the_transcript() -> None:
    async with agent(speaks_plainly) as running:
        result = await talked(running.url, Lines(then=[HELLO, BYE]), limits=replace(QUICK, silence=0.2))
    assert result.ignored == ["Error: no such table", '{"status": "thinking"}', "\ufffd\x01"]
    assert result.ignored_frames == 3
    assert result.status == "timeout"


async def test_a_close_before_a_word_says_what_was_seen() -> None:
    async with agent(closes_at_once) as running:
        result = await talked(running.url, first=True)
    assert (result.status, result.ended_reason) == NO_CALL
    assert result.error_message == (
        "The agent said nothing before the end: it closed the connection (1011: out of memory). "
        "Before that it sent, which is no message: Error: no such table"
    )


async def test_metadata_is_merged_and_the_last_write_wins() -> None:
    async def tells(call: Call) -> None:
        await call.hear()
        await call.send({"metadata": {"a": 1, "b": {"x": 1}}})
        await call.say("Yes?", metadata={"b": {"y": 2}})
        await call.hear()
        await call.send({"metadata": {"late": True}})

    async with agent(tells) as running:
        result = await talked(running.url)
    assert result.metadata == {"a": 1, "b": {"y": 2}}


async def test_metadata_after_the_agents_end_still_counts() -> None:
    async def tells(call: Call) -> None:
        await call.hear()
        await call.say("Bye", type="end_call")
        await call.send({"metadata": {"late": True}})
        await call.hear()

    async with agent(tells) as running:
        result = await talked(running.url)
    assert result.metadata == {"late": True}


async def test_a_megabyte_is_heard_in_part_and_five_are_the_end() -> None:
    async def shouts(call: Call) -> None:
        await call.hear()
        await call.say("x" * 1_000_000)
        await call.hear()
        await call.say("x" * 5_000_000)
        await call.hear()

    async with agent(shouts) as running:
        result = await talked(running.url, Lines(then=[HELLO]))
    assert (result.status, result.ended_reason) == AGENT_ENDED
    assert len(result.transcript[1].content) < 70_000
    assert "cut here" in result.transcript[1].content
