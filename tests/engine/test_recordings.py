"""Recorded conversations of elsewhere: every format, every way in which a record can be bad."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.attempt import Attempt, Chat, ChatEntry, Message
from schemas.content import Benchmark, ChatTemplate, Persona, RecordedMessage, RecordedRun, Scenario
from schemas.stored import Owner
from server.engine.attempts.export import to_json
from server.engine.ids import derive, new
from server.engine.recordings.adding import MAX_BYTES, check_bounds, with_runs
from server.engine.recordings.chats import run_of_chat
from server.engine.recordings.reading import MAX_FILE, MAX_LINE, read_recordings
from server.engine.recordings.record import BadRecord, Recording
from server.errors import Conflict, TooLarge

FIND = {"name": "find", "description": "Finds.", "parameters": {"type": "object", "properties": {}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"order":"A"}'}}
TALK: dict[str, Any] = {
    "messages": [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "Where is "}, {"type": "text", "text": "A?"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "lost"},
        {"role": "assistant", "content": "It is lost.", "refusal": None},
    ],
    "tools": [{"type": "function", "function": {**FIND, "strict": True}}],
    "parallel_tool_calls": False,
}
SHARED: dict[str, Any] = {
    "conversations": [
        {"from": "system", "value": "Be kind."},
        {"from": "human", "value": "Where is A?"},
        {"from": "function_call", "value": '{"name": "find", "arguments": {"order": "A"}}'},
        {"from": "observation", "value": "lost"},
        {"from": "gpt", "value": "It is lost."},
    ],
    "tools": json.dumps([FIND]),
}
START = datetime(2026, 6, 9, 8, tzinfo=UTC)


def read(source: bytes | str) -> list[Recording | BadRecord]:
    return list(read_recordings(io.BytesIO(source.encode() if isinstance(source, str) else source)))


def lines(*records: object) -> str:
    return "\n".join(json.dumps(record) for record in records)


def good(source: bytes | str) -> list[Recording]:
    found = read(source)
    assert not [record for record in found if isinstance(record, BadRecord)], found
    return [record for record in found if isinstance(record, Recording)]


def only_bad(source: bytes | str) -> tuple[int, str]:
    (found,) = read(source)
    assert isinstance(found, BadRecord)
    return found


def chat(**changes: object) -> Chat:
    """Return a closed chat with a reply that was said twice; the second branch counts."""
    texts = [
        ("user", "Hello.", None),
        ("assistant", "First.", 0),
        ("assistant", "Second.", 0),
        ("user", "Why?", 2),
    ]
    ids = [derive("message", str(i)) for i in range(len(texts))]
    messages = [
        Message(
            id=ids[i],
            role="user" if role == "user" else "assistant",
            content=text,
            parent_message_id=None if parent is None else ids[parent],
            created_at=START + timedelta(seconds=i),
        )
        for i, (role, text, parent) in enumerate(texts)
    ]
    persona = Persona(id=new(), name="Ada", instructions="You are Ada.")
    made = Chat(
        id=derive("chat"),
        attempt_id=derive("attempt"),
        chat_entry_id=new(),
        owner=Owner(kind="profile", id=new()),
        org="default",
        status="closed",
        created_at=START,
        template=ChatTemplate(),
        scenario=Scenario(id=new(), name="A talk", situation="It rains.", persona_id=persona.id),
        persona=persona,
        messages=messages,
        tip=ids[-1],
    )
    return made.model_copy(update=changes)


def export(*chats: Chat) -> bytes:
    entry = ChatEntry(chat_entry_id=new(), scenario_id=new(), position=0)
    owner = Owner(kind="profile", id=new())
    attempt = Attempt(id=new(), owner=owner, org="default", name="One", created_at=START, entries=[entry])
    return to_json(attempt, list(chats))


# --- formats -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source", [lines(TALK), lines(SHARED), json.dumps([TALK]), json.dumps(SHARED, indent=2)]
)
def test_the_same_conversation_in_every_format(source: str) -> None:
    (found,) = good(source)
    assert [(m.role, m.content) for m in found.messages] == [
        ("system", "Be kind."),
        ("user", "Where is A?"),
        ("assistant", ""),
        ("tool", "lost"),
        ("assistant", "It is lost."),
    ]
    (call,) = found.messages[2].tool_calls
    assert (call.name, json.loads(call.arguments)) == ("find", {"order": "A"})
    assert found.messages[3].tool_call_id == call.id
    assert [tool.model_dump() for tool in found.tools] == [FIND]
    assert found.run(new()).name == "Where is A?"


def test_what_the_model_wrote_is_kept_to_the_letter() -> None:
    broken = {"id": "c1", "function": {"name": "find", "arguments": '{"order": '}}
    record = {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [broken]}]}
    (found,) = good(lines(record))
    assert found.messages[1].tool_calls[0].arguments == '{"order": '


def test_older_functions_are_calls_too() -> None:
    record = {
        "id": "old-1",
        "functions": [FIND],
        "messages": [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": None, "function_call": {"name": "find", "arguments": "{}"}},
            {"role": "function", "name": "find", "content": "y"},
        ],
    }
    (found,) = good(lines(record))
    assert found.name == "old-1"
    assert found.messages[2].tool_call_id == found.messages[1].tool_calls[0].id
    assert [tool.name for tool in found.tools] == ["find"]


def test_an_export_of_ours_gives_a_conversation_for_each_chat_in_which_somebody_spoke() -> None:
    silent = chat(messages=[], tip=None)
    (found,) = good(export(chat(), silent))
    assert found.name == "A talk, Ada"
    assert [(m.role, m.content, m.at_ms) for m in found.messages] == [
        ("user", "Hello.", 0),
        ("assistant", "Second.", 2000),
        ("user", "Why?", 3000),
    ]
    assert only_bad(export(silent))[1] == "nobody said anything in the chats of this attempt"


def test_files_as_they_come() -> None:
    crlf = b"\xef\xbb\xbf" + lines(TALK, SHARED).replace("\n", "\r\n\r\n  \r\n").encode() + b"\r\n"
    assert [record.line for record in good(crlf)] == [1, 4]
    spread = f"\n[\n{json.dumps(TALK)},\n\n{json.dumps(SHARED)}\n]\n"
    assert [record.line for record in good(spread)] == [3, 5]
    assert read("") == read("\n\n") == read("[]") == []


def test_a_recording_is_the_same_run_every_time() -> None:
    benchmark, other = new(), new()
    first, again = good(lines(TALK)), good("\n" + lines({**TALK, "id": "renamed"}))
    assert first[0].run(benchmark).id == again[0].run(benchmark).id != first[0].run(other).id
    changed = json.loads(lines(TALK))
    changed["messages"][-1]["content"] = "It is found."
    assert good(lines(changed))[0].run(benchmark).id != first[0].run(benchmark).id


# --- mistakes ----------------------------------------------------------------------------------------------

USER = {"role": "user", "content": "x"}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"text": "x"}, "this is no recorded conversation"),
        ([1], "this is no recorded conversation"),
        ({"messages": "x"}, "messages: a list is needed"),
        ({"messages": []}, "there are no messages"),
        ({"messages": [USER] * 401}, "messages: List should have at most 400 items"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "no message is the user's"),
        ({"messages": ["x"]}, "message 1: an object with role and content is needed"),
        (
            {"messages": [USER, {"role": "narrator", "content": ""}]},
            "message 2: the role 'narrator' is not known",
        ),
        ({"messages": [USER, {"role": "user", "content": 3}]}, "message 2: the content is neither text nor"),
        ({"messages": [{"role": "user", "content": "x" * 32_001}]}, "message 1: content: String should have"),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "message 1: content: "),
        ({"messages": [USER, {"role": "tool", "content": "y"}]}, "message 2: there is no call above"),
        ({"messages": [{**USER, "tool_calls": [CALL]}]}, "message 1: only the assistant calls tools"),
        (
            {"messages": [USER, {"role": "assistant", "tool_calls": [{}]}]},
            "message 2: a call of a tool needs a name",
        ),
        (
            {"messages": [USER, {"role": "assistant", "tool_calls": [CALL, CALL]}]},
            "message 2: the id 'c1' is taken",
        ),
        ({"messages": [USER], "tools": 3}, "tools: a list of definitions is needed"),
        ({"messages": [USER], "tools": [{"name": "not a name"}]}, "tool 1: name: "),
        ({"messages": [USER], "tools": [{"name": "a", "parameters": {"n": 2**70}}]}, "tool 1: parameters: "),
        (
            {"messages": [USER], "tools": [{"name": "a", "parameters": {"n": "\ud800"}}]},
            "tool 1: parameters: ",
        ),
        ({"conversations": 3}, "conversations: a list is needed"),
        ({"conversations": [{"from": "human"}]}, "message 1: the value is no text"),
        ({"conversations": [{"from": "moon", "value": "x"}]}, "message 1: from 'moon' is not known here"),
        ({"conversations": [{"from": "function_call", "value": "x"}]}, "message 1: a function_call is JSON"),
        ({"conversations": [], "tools": "x"}, "tools: this text is not JSON"),
        ({"attempt": {}, "chats": []}, "nobody said anything in the chats of this attempt"),
        ({"attempt": {}, "chats": [{}]}, "chats: an object with messages is needed"),
        ({"attempt": {}, "chats": [{"messages": [{"id": 1}]}]}, "every message needs id, role, content"),
    ],
)
def test_a_bad_record_says_why(record: object, message: str) -> None:
    line, found = only_bad("\n\n" + lines(record))
    assert message in found
    assert line == 3


def test_an_image_is_not_lost_in_silence() -> None:
    part = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    assert (
        "'image_url' is no text and cannot be kept"
        in only_bad(lines({"messages": [{**USER, "content": [part]}]}))[1]
    )


def test_bad_lines_stand_between_good_ones() -> None:
    source = b"\n".join(
        [lines(TALK).encode(), b"{", b'{"messages": "\xff"}', b"[" * 9_999, lines(SHARED).encode()]
    )
    found = read(source)
    assert [type(record) for record in found] == [Recording, BadRecord, BadRecord, BadRecord, Recording]
    assert [record.line for record in found] == [1, 2, 3, 4, 5]
    assert "not valid JSON" in str(found[1])
    assert "not UTF-8 text (byte 0xff)" in str(found[2])


def test_a_first_line_that_is_bad_does_not_hide_the_others() -> None:
    found = read("{broken\n" + lines(TALK))
    assert [type(record) for record in found] == [BadRecord, Recording]


def test_an_array_that_breaks_off_says_where() -> None:
    found = read(f"[\n{json.dumps(TALK)},\n{{")
    assert isinstance(found[0], Recording)
    assert found[1].line == 3
    assert "nothing after it was read" in str(found[1])


def test_what_is_too_long_is_told() -> None:
    long = b'{"messages": "' + b"x" * MAX_LINE + b'"}\n'
    found = read(long * 2 + lines(TALK).encode())
    assert [record.line for record in found] == [1, 2, 3]
    assert "longer than" in str(found[1])
    assert isinstance(found[2], Recording)


def test_a_file_that_is_too_large_is_not_read() -> None:
    class Large(io.BytesIO):
        def seek(self, offset: int, whence: int = 0, /) -> int:
            return MAX_FILE + 1 if whence == 2 else super().seek(offset, whence)

    (found,) = read_recordings(Large(lines(TALK).encode()))
    assert "split it" in str(found)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 900), st.binary(max_size=6), st.integers(0, 40))
def test_a_damaged_file_is_read_or_its_problems_are_told(at: int, put: bytes, cut: int) -> None:
    source = lines(TALK, SHARED).encode()
    for record in read(source[:at] + put + source[at + cut :]):
        assert isinstance(record, BadRecord) or record.run(derive("b")).messages


# --- into a benchmark --------------------------------------------------------------------------------------


def test_a_chat_becomes_a_run_with_the_personas_instructions() -> None:
    benchmark = new()
    run = run_of_chat(chat(), benchmark)
    assert run == run_of_chat(chat(), benchmark)
    assert run.name == "A talk, 2026-06-09 08:00"
    assert [m.role for m in run.messages] == ["system", "user", "assistant", "user"]
    assert "You are Ada." in run.messages[0].content
    assert "It rains." in run.messages[0].content
    assert [m.at_ms for m in run.messages] == [None, 0, 2000, 3000]


def test_a_chat_that_cannot_be_replayed_is_refused() -> None:
    with pytest.raises(Conflict, match="still open"):
        run_of_chat(chat(status="open"), new())
    with pytest.raises(Conflict, match="said nothing"):
        run_of_chat(chat(messages=[], tip=None), new())
    long = chat().messages[0].model_copy(update={"parent_message_id": None})
    many = [long.model_copy(update={"id": str(i), "parent_message_id": str(i - 1)}) for i in range(400)]
    with pytest.raises(TooLarge):
        run_of_chat(chat(messages=many, tip="399"), new())


def test_a_benchmark_has_bounds() -> None:
    def run(size: int) -> RecordedRun:
        return RecordedRun(id=new(), name="r", messages=[RecordedMessage(role="user", content="x" * size)])

    benchmark = Benchmark(id=new(), name="b", agent_ids=[new()], runs=[run(1)])
    again = with_runs(benchmark, [*benchmark.runs, run(1)])
    assert len(again.runs) == 2
    with pytest.raises(TooLarge, match="2,001 runs"):
        check_bounds(with_runs(benchmark, [run(1) for _ in range(2_000)]))
    with pytest.raises(TooLarge, match="bytes"):
        check_bounds(with_runs(benchmark, [run(32_000) for _ in range(MAX_BYTES // 32_000 + 1)]))
