"""test_run: the recorded user's turns are fed to a model, and everything it does is seen and stored."""

import asyncio
import json

from server.engine.ids import new
from server.transports import keys
from tests.conftest import Cast
from tests.support.attempts import Client, one_after_another
from tests.support.clients import Socket
from tests.support.running import Server
from tests.support.trials import HANGING, LOOKUP, Trial, begin, refused

TALK = ({"match": {"last_contains": "loop"}, "chunks": ["It ", "repeats."]}, {"reply": "Hello!"})


async def test_it_is_seen_step_by_step_and_stored(server: Server, runner: Client) -> None:
    await server.script(*TALK)
    trial = await begin(runner)
    ack = await runner.send("test_run", **trial.ids, run_id=trial.original("greeting"))
    assert [r["room"] for r in ack["rooms"]] == [trial.room]
    run_id = ack["run_id"]
    complete = await runner.until("test_run_complete")
    assert trial.steps(run_id) == [
        ("test_run_start", ""),
        ("user_turn", "Good morning."),
        ("assistant_turn", "Hello!"),
        ("user_turn", "What is a loop?"),
        ("assistant_turn", "It repeats."),
        ("test_run_complete", ""),
    ]
    assert trial.said(run_id) == "Hello!It repeats."
    assert one_after_another(trial.entries())
    start = runner.seen_last("test_run_start")
    assert (start["current_run"], start["total_runs"]) == (1, 3)
    assert start["original_run_resource_id"] == complete["original_run_resource_id"]
    assert (complete["remaining_runs"], complete["tool_calls"]) == (2, 0)
    run = await trial.stored(server.app[keys.STORE], "greeting")
    assert run.result is not None
    assert (run.state, run.replay_id, run.result.error) == ("done", run_id, None)
    assert [(m.role, m.content, m.recorded) for m in run.result.messages] == [
        ("system", "You are a clerk.", None),
        ("user", "Good morning.", None),
        ("assistant", "Hello!", "Good morning, what can I do?"),
        ("user", "What is a loop?", None),
        ("assistant", "It repeats.", "Something that repeats."),
    ]
    assert run.result.usage.completion_tokens > 0
    assert run.result.first_token_ms is not None


async def test_the_model_reads_its_own_earlier_replies(server: Server, author: Socket) -> None:
    await server.script(*TALK)
    trial = await begin(author)
    await trial.run("greeting")
    asked = (await server.asked())[-1]
    assert [m["content"] for m in asked["messages"]] == [
        "You are a clerk.",
        "Good morning.",
        "Hello!",
        "What is a loop?",
    ]
    assert asked["body"]["temperature"] == 0.5
    assert [t["function"]["name"] for t in asked["body"]["tools"]] == ["lookup"]


async def test_only_the_last_turn_is_made_anew(server: Server, author: Socket) -> None:
    await server.script(*TALK)
    trial = await begin(author, "last")
    run_id = await trial.run("greeting")
    (asked,) = await server.asked()
    assert [m["content"] for m in asked["messages"]][1:] == [
        "Good morning.",
        "Good morning, what can I do?",
        "What is a loop?",
    ]
    assert trial.steps(run_id)[1:-1] == [("user_turn", "What is a loop?"), ("assistant_turn", "It repeats.")]
    run = await trial.stored(server.app[keys.STORE], "greeting")
    assert run.result is not None
    last = run.result.messages[-1]
    assert (last.content, last.recorded) == ("It repeats.", "Something that repeats.")


async def test_recorded_results_answer_equal_calls(server: Server, author: Socket) -> None:
    await server.script(LOOKUP, {"reply": "It is on its way."})
    trial = await begin(author)
    run_id = await trial.run("order")
    kinds = [kind for kind, _ in trial.steps(run_id)]
    assert kinds[1:-1] == ["user_turn", "assistant_turn", "tool_call", "assistant_turn"]
    call = json.loads(trial.steps(run_id)[3][1])
    assert (call["name"], call["matched"]) == ("lookup", True)
    assert json.loads(call["arguments"]) == {"order": "A-17"}
    assert json.loads(call["result"]) == {"status": "on its way"}
    assert author.seen_last("test_run_complete")["tool_calls"] == 1
    shown = (await server.asked())[-1]["messages"]
    assert [m["role"] for m in shown] == ["system", "user", "assistant", "tool"]
    assert (shown[2]["tool_calls"][0]["id"], shown[2]["content"]) == (call["id"], "One moment.")
    assert (shown[3]["tool_call_id"], shown[3]["content"]) == (call["id"], call["result"])
    result = (await trial.stored(server.app[keys.STORE], "order")).result
    assert result is not None
    assert (result.tool_calls, result.matched_calls, result.recorded_calls) == (1, 1, 1)


async def test_an_unmatched_call_is_answered_with_an_error(server: Server, author: Socket) -> None:
    await server.script(
        {**LOOKUP, "tool_calls": [{"name": "lookup", "arguments": {"order": "B-2"}}]},
        {"reply": "I do not know."},
    )
    trial = await begin(author)
    run_id = await trial.run("order")
    call = json.loads(next(m for kind, m in trial.steps(run_id) if kind == "tool_call"))
    assert call["matched"] is False
    assert "error" in json.loads(call["result"])
    result = (await trial.stored(server.app[keys.STORE], "order")).result
    assert result is not None
    assert (result.tool_calls, result.matched_calls) == (1, 0)
    assert [m.matched for m in result.messages if m.role == "tool"] == [False]


async def test_a_model_that_calls_tools_for_ever_fails(server: Server, author: Socket) -> None:
    await server.script({k: v for k, v in LOOKUP.items() if k not in ("times", "match")})
    trial = await begin(author)
    run_id = await trial.send("order")
    error = await author.until("test_error", run_id=run_id)
    assert (error["error_type"], error["code"]) == ("run", "upstream")
    assert len(await server.asked()) == 13
    assert len([kind for kind, _ in trial.steps(run_id) if kind == "tool_call"]) == 12


async def test_a_model_that_fails_is_told_and_may_be_tried_again(server: Server, author: Socket) -> None:
    await server.script({"status": 400})
    trial = await begin(author, "two-agents")
    failed = await trial.send("short")
    error = await author.until("test_error", run_id=failed)
    assert (error["error_type"], error["code"], error["room"]) == ("run", "upstream", trial.room)
    over = await author.until("test_all_complete", invocation_id=trial.invocation_id)
    assert (over["success"], over["total_runs"], over["cycle"]) == (False, 1, 1)
    run = await trial.stored(server.app[keys.STORE], "short")
    assert run.result is not None
    assert (run.state, run.result.code, run.result.error) == ("failed", "upstream", error["message"])
    assert not author.named("test_run_complete")
    await server.script()
    again = await trial.run("short")
    assert again != failed
    over = await author.until("test_all_complete", count=2, invocation_id=trial.invocation_id)
    assert over["success"] is True
    assert (await trial.stored(server.app[keys.STORE], "short")).state == "done"


async def test_the_last_one_completes_the_invocation(author: Socket) -> None:
    trial = await begin(author, "two-agents")
    await trial.run("short")
    over = await author.until("test_all_complete")
    assert (over["invocation_id"], over["success"]) == (trial.invocation_id, True)
    assert [n for n, _ in trial.entries()][-2:] == ["test_run_complete", "test_all_complete"]


async def test_twice_and_at_once_it_runs_once(server: Server, cast: Cast, author: Socket) -> None:
    await server.script(HANGING)
    trial, other = await begin(author), await cast.author()
    run = {**trial.ids, "run_id": trial.original("greeting")}
    acks = await asyncio.gather(*(c.call("test_run", **run) for c in (author, other, author)))
    (won,) = [a for a in acks if a["success"]]
    assert {a["error"]["code"] for a in acks if not a["success"]} == {"conflict"}
    await refused(author, "test_run", "conflict", **run)
    await server.model.until("running")
    assert len(server.model.requests) == 1
    await author.send("test_stop", invocation_id=trial.invocation_id)
    await server.script()
    assert await trial.run("greeting") != won["run_id"]
    await refused(author, "test_run", "conflict", **run)


async def test_the_same_request_runs_once(server: Server, author: Socket) -> None:
    trial = await begin(author)
    key = new()
    runs = await asyncio.gather(*(trial.send("short", client_event_id=key) for _ in range(3)))
    assert len(set(runs)) == 1
    await author.until("test_run_complete", run_id=runs[0])
    assert await trial.send("short", client_event_id=key) == runs[0]
    assert len(await server.asked()) == 1


async def test_its_refusals(cast: Cast, author: Socket) -> None:
    trial, other = await begin(author), await begin(author, "many")
    run = {**trial.ids, "run_id": trial.original("short")}
    for changes in ({"run_id": new()}, {"test_invocation_id": new()}, {"test_id": new()}):
        await refused(author, "test_run", "not_found", **(run | changes))
    await refused(author, "test_run", "not_found", **(run | {"test_invocation_id": other.invocation_id}))
    for wrong in ({"run_id": 1}, {"claim": 1}, {"claim": "c" * 201}, {"test_id": None}):
        await refused(author, "test_run", "bad_request", **(run | wrong))
    for client in (await cast.learner(), await cast.foreign_author()):
        await refused(client, "test_run", "not_found", **run)
    await refused(await cast.ops(), "test_run", "forbidden", **run)
    await author.send("test_end_all", test_id=trial.test_id)
    await refused(author, "test_run", "conflict", **run)
    assert not author.named("test_run_start")


async def send_again(trial: Trial, name: str) -> str:
    """Let a failed run be replayed, as soon as its failure is counted."""
    while not (ack := await trial.client.call("test_run", **trial.ids, run_id=trial.original(name)))[
        "success"
    ]:
        assert ack["error"]["retryable"], ack
    run_id: str = ack["run_id"]
    return run_id


async def test_a_cycle_lasts_until_a_failed_run_is_done_again(server: Server, author: Socket) -> None:
    await server.script({"status": 400, "times": 1}, {"first_delay_ms": 1000, "reply": "Late.", "times": 1})
    trial = await begin(author, infinite_mode=True)
    await author.until("test_error", run_id=await trial.send("short"))
    again = await send_again(trial, "short")
    await server.model.until("running")
    others = [await trial.run(name) for name in ("greeting", "order")]
    assert again not in others
    assert not author.named("test_all_complete")
    await author.until("test_run_complete", run_id=again)
    over = await author.until("test_all_complete")
    assert (over["cycle"], over["success"]) == (1, True)
    complete = author.named("test_run_complete", room=trial.room)
    assert [d["remaining_runs"] for d in complete] == [2, 1, 0]
    invocation = await server.app[keys.STORE].invocations.get(trial.invocation_id)
    assert invocation is not None
    assert (invocation.cycle, invocation.counted, invocation.failed) == (2, 0, 0)


async def test_a_failed_run_that_is_stopped_is_left_to_do(server: Server, author: Socket) -> None:
    await server.script({"status": 400, "times": 1}, HANGING)
    trial = await begin(author, "two-agents")
    await author.until("test_error", run_id=await trial.send("short"))
    await author.until("test_all_complete", success=False)
    again = await send_again(trial, "short")
    await trial.hears(again, "Half of it")
    store = server.app[keys.STORE]
    counts = []
    for _ in range(2):
        invocation = await store.invocations.get(trial.invocation_id)
        assert invocation is not None
        counts.append((invocation.counted, invocation.failed, invocation.total_runs))
        await author.send("test_stop", invocation_id=trial.invocation_id)
    assert counts == [(0, 0, 1)] * 2
    assert (await trial.stored(store, "short")).state == "pending"
    await server.script()
    await trial.run("short")
    await author.until("test_all_complete", success=True)
