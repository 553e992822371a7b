"""Tools: what endpoints are sent, and what is read from their streams."""

from collections.abc import Callable

import orjson
import pytest

from schemas.content import Tool, ToolCall
from server.errors import Upstream
from server.llm import ChatTurn, Models, ModelStream
from server.llm.scripted import ScriptedModel
from server.llm.sse import ReplyParser
from server.llm.tools import MAX_ARGUMENTS, MAX_CALLS
from server.llm.turns import drop_oldest

Connect = Callable[..., Models]
TOOLS = (
    Tool(name="find_order", description="Finds an order.", parameters={"type": "object", "properties": {}}),
    Tool(name="refund"),
)
USER: ChatTurn = {"role": "user", "content": "Where is my order?"}
FIND = {"name": "find_order", "arguments": {"number": "A-1042", "with_items": True}}
REFUND = {"name": "refund", "arguments": {}}


async def ask(models: Models, *turns: ChatTurn) -> tuple[str, ModelStream]:
    async with models.stream(turns or [USER], tools=TOOLS) as stream:
        text = "".join([part async for part in stream])
    return text, stream


def fragments(*chunks: list[dict[str, object]]) -> list[ToolCall]:
    """Return the calls that a stream of fragments makes, each list being one chunk."""
    parser = ReplyParser()
    for chunk in chunks:
        data = orjson.dumps({"choices": [{"index": 0, "delta": {"tool_calls": chunk}}]})
        parser.feed(b"data: " + data + b"\n\n")
    if parser.error:
        raise parser.error
    return parser.calls.whole()


def part(index: int | None, name: str | None, arguments: object, **more: object) -> dict[str, object]:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"function": function} | more | ({} if index is None else {"index": index})


async def test_calls_are_collected_from_fragments(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"tool_calls": [FIND, REFUND]}])
    text, stream = await ask(models)
    assert text == ""
    assert [(call.name, orjson.loads(call.arguments)) for call in stream.tool_calls] == [
        ("find_order", FIND["arguments"]),
        ("refund", {}),
    ]
    assert len({call.id for call in stream.tool_calls}) == 2
    assert stream.usage.finish_reason == "tool_calls"
    assert stream.usage.first_token_ms is not None
    (seen,) = scripted.requests
    assert seen.tools == ["find_order", "refund"]
    assert seen.body["tools"][0] == {"type": "function", "function": TOOLS[0].model_dump()}


async def test_a_text_may_come_before_the_calls(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"reply": "One moment.", "tool_calls": [FIND]}])
    text, stream = await ask(models)
    assert text == "One moment."
    assert [call.name for call in stream.tool_calls] == ["find_order"]


async def test_calls_and_results_go_back_to_the_model(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"match": {"last_role": "tool"}, "reply": "It is on its way."}, {"tool_calls": [FIND]}])
    _, first = await ask(models)
    call = first.tool_calls[0]
    turns: list[ChatTurn] = [
        USER,
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": '{"status": "sent"}', "tool_call_id": call.id},
    ]
    text, second = await ask(models, *turns)
    assert text == "It is on its way."
    assert second.tool_calls == []
    sent = scripted.requests[1].messages
    function = {"name": "find_order", "arguments": call.arguments}
    assert sent[1] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": call.id, "type": "function", "function": function}],
    }
    assert sent[2] == {"role": "tool", "content": '{"status": "sent"}', "tool_call_id": call.id}


async def test_there_are_no_calls_before_the_end(scripted: ScriptedModel, models: Models) -> None:
    scripted.script([{"tool_calls": [FIND], "break_after": 3}])
    async with models.stream([USER], tools=TOOLS) as stream:
        with pytest.raises(Upstream, match="broke off"):
            await anext(aiter(stream))
    assert stream.tool_calls == []


async def test_without_tools_none_are_sent(scripted: ScriptedModel, models: Models) -> None:
    async with models.stream([USER]) as stream:
        assert [text async for text in stream]
    assert {"tools", "reasoning_effort"}.isdisjoint(scripted.requests[0].body)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "registry.ollama.ai/library/gemma:2b does not support tools"),
        (404, "No endpoints found that support tool use."),
        (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
        (500, "tools param requires --jinja flag"),
        (400, "Invalid schema for function 'find_order'"),
    ],
)
async def test_a_model_without_tools_is_an_error(
    scripted: ScriptedModel, models: Models, status: int, message: str
) -> None:
    scripted.script([{"status": status, "error": {"message": message}}])
    with pytest.raises(Upstream, match="refused the tools") as caught:
        await ask(models)
    assert not caught.value.may_retry
    assert len(scripted.requests) == 1


async def test_the_embedded_model_has_no_tools(scripted: ScriptedModel, connect: Connect) -> None:
    with pytest.raises(Upstream, match="embedded model cannot call tools") as caught:
        await ask(connect(model="smollm2-135m"))
    assert not caught.value.may_retry
    assert scripted.requests == []


async def test_reasoning_is_left_out_once_refused(scripted: ScriptedModel, models: Models) -> None:
    error = {"message": "Unsupported parameter: 'reasoning_effort' is not supported with this model."}
    scripted.script([{"status": 400, "error": error, "times": 1}])
    for _ in range(2):
        async with models.stream([USER], tools=TOOLS, reasoning="low") as stream:
            assert [text async for text in stream]
    assert [seen.body.get("reasoning_effort") for seen in scripted.requests] == ["low", None, None]


async def test_ids_are_short_where_others_are_refused(scripted: ScriptedModel, models: Models) -> None:
    error = {"message": "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9."}
    scripted.script([{"status": 400, "error": error, "times": 1}])
    turns: list[ChatTurn] = [
        USER,
        {"role": "assistant", "content": "", "tool_calls": [ToolCall(id="call_1", name="refund")]},
        {"role": "tool", "content": "done", "tool_call_id": "call_1"},
        {"role": "assistant", "content": "", "tool_calls": [ToolCall(id="abcDEF123", name="refund")]},
        {"role": "tool", "content": "done", "tool_call_id": "abcDEF123"},
    ]
    await ask(models, *turns)
    sent = scripted.requests[1].messages
    ids = [sent[1]["tool_calls"][0]["id"], sent[3]["tool_calls"][0]["id"]]
    assert ids == [sent[2]["tool_call_id"], sent[4]["tool_call_id"]]
    assert (len(ids[0]), ids[0].isalnum(), ids[1]) == (9, True, "abcDEF123")
    assert [m["content"] for m in sent] == [USER["content"], None, "done", None, "done"]


def test_fragments_of_parallel_calls_may_be_mixed() -> None:
    calls = fragments(
        [part(0, "a", "", id="x"), part(1, "b", None, id="y")],
        [part(1, None, '{"b":')],
        [part(0, None, '{"a":1}'), part(1, None, "2}")],
    )
    assert [(c.id, c.name, c.arguments) for c in calls] == [("x", "a", '{"a":1}'), ("y", "b", '{"b":2}')]


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([[part(0, "a", '{"n":1}', id="x")], [part(0, "b", "{}", id="y")]], id="index always 0"),
        pytest.param([[part(0, "a", '{"n":1}', id=""), part(0, "b", "{}", id="")]], id="index 0, no ids"),
        pytest.param([[part(None, "a", '{"n":1}')], [part(None, "b", "")]], id="neither index nor id"),
        pytest.param([[part(None, "a", {"n": 1}), part(None, "b", None)]], id="values, not text"),
        pytest.param([[part(0, "a", '{"n":1}', id="z"), part(1, "b", "{}", id="z")]], id="the same id"),
        pytest.param(
            [[part(None, "a", '{"n"', id="x")], [part(None, None, ":1}")], [part(None, "b", "", id="y")]],
            id="no index",
        ),
        pytest.param(
            [[part(0, "a", '{"n"', id="x")], [part(0, "a", ":1}", id="x")], [part(1, "b", "", id="y")]],
            id="name in every fragment",
        ),
    ],
)
def test_odd_endpoints_are_understood(chunks: list[list[dict[str, object]]]) -> None:
    calls = fragments(*chunks)
    assert [(c.name, c.arguments) for c in calls] == [("a", '{"n":1}'), ("b", "{}")]
    assert len({c.id for c in calls}) == 2


@pytest.mark.parametrize(
    "chunk",
    [
        [part(0, None, "{}", id="x")],
        [part(0, "a", "x" * (MAX_ARGUMENTS + 1))],
        [part(i, "a", "{}") for i in range(MAX_CALLS + 1)],
        [{"function": "a"}],
    ],
)
def test_what_is_no_call_is_an_error(chunk: list[dict[str, object]]) -> None:
    with pytest.raises(Upstream):
        fragments(chunk)


def dialogue(letters: str) -> list[ChatTurn]:
    """Return turns by their first letters, each with its position as content; c is a call."""
    turns: list[ChatTurn] = []
    for i, letter in enumerate(letters):
        if letter == "c":
            call = ToolCall(id=str(i), name="find_order")
            turns.append({"role": "assistant", "content": str(i), "tool_calls": [call]})
        elif letter == "t":
            turns.append({"role": "tool", "content": str(i), "tool_call_id": "0"})
        elif letter == "s":
            turns.append({"role": "system", "content": str(i)})
        else:
            turns.append({"role": "user" if letter == "u" else "assistant", "content": str(i)})
    return turns


@pytest.mark.parametrize(
    ("turns", "kept"),
    [
        ("suctauau", "0567"),  # a call's results go with it
        ("suctttauctau", "07891011"),
        ("suauctt", "03456"),  # what answers the last question stays as a whole
        ("suct", None),
        ("suctctctct", "016789"),  # unless nothing else can go
        ("suctct", "0145"),
        ("ct", None),
    ],
)
def test_calls_stay_with_their_results(turns: str, kept: str | None) -> None:
    left = drop_oldest(dialogue(turns))
    assert (None if left is None else "".join(turn["content"] for turn in left)) == kept
