"""Agents and benchmarks over HTTP: who sees them, what they may name, and how runs come in."""

import asyncio
from typing import Any

import orjson

from schemas.envelope import Id
from server.engine.ids import new
from server.engine.packs import content_id
from tests.conftest import Cast
from tests.support.attempts import begin, stored
from tests.support.rest import People, Rest
from tests.support.running import Server

CARE = content_id("lesson", "rubric", "care")
TOOL = {"name": "find", "description": "", "parameters": {"type": "object", "properties": {}}}
CALL = {"id": "call_1", "name": "find", "arguments": "{}"}
RUN = {
    "name": "Where is it?",
    "messages": [
        {"role": "user", "content": "Where is it?"},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "gone"},
    ],
}


async def make_agent(author: Rest) -> Id:
    agent = await author.post("agents", {"name": "Careful", "instructions": "SECRET", "tools": [TOOL]})
    key: Id = agent["id"]
    return key


async def make_benchmark(author: Rest, **changes: Any) -> dict[str, Any]:
    body = {"name": "Desk", "agent_ids": [await make_agent(author)], "runs": [RUN, {**RUN, "name": "Again"}]}
    made: dict[str, Any] = await author.post("benchmarks", {**body, **changes})
    return made


async def closed_chat(server: Server, cast: Cast, *, said: bool = True) -> Id:
    """Let a learner practise, end the chat, and return its id."""
    server.model.script([{"match": {}, "reply": "I am Ada."}])
    talk = await begin(await cast.learner())
    if said:
        await talk.say("Hello.")
    await talk.end(grade=False)
    return talk.chat_id


async def test_learners_see_no_agents_and_no_benchmarks(people: People) -> None:
    author = people.a("author")
    made = await make_benchmark(author)
    for learner in (people.a("learner"), people.with_token(None), people.a("author", org="elsewhere")):
        for kind, key in (("agents", made["agent_ids"][0]), ("benchmarks", made["id"])):
            page = await learner.get(kind)
            assert page == {"items": [], "next_cursor": None}
            missing = await learner.get(f"{kind}/{new()}", status=404)
            assert await learner.get(f"{kind}/{key}", status=404) == missing
            if learner.headers:
                await learner.delete(f"{kind}/{key}", status=404)
                assert await learner.outcome("PUT", f"{kind}/{key}", {}) in (400, 404)
                assert await learner.outcome("POST", f"{kind}/{key}/duplicate", {}) == 404
    learner = people.a("learner")
    assert await learner.outcome("POST", "benchmarks", {"name": "Mine"}) == 403
    assert await learner.outcome("POST", f"benchmarks/{made['id']}/runs", {"run": RUN}) == 404


async def test_ops_reads_and_changes_nothing(people: People) -> None:
    made = await make_benchmark(people.a("author"))
    ops = people.a("ops")
    assert (await ops.get(f"benchmarks/{made['id']}"))["runs"] == made["runs"]
    assert (await ops.names("agents"))[0] == "Careful"
    assert await ops.outcome("POST", f"benchmarks/{made['id']}/runs", {"run": RUN}) == 403
    assert await ops.outcome("PUT", f"benchmarks/{made['id']}", made) == 403


async def test_lists_count_runs_instead_of_showing_them(people: People) -> None:
    author = people.a("author")
    made = await make_benchmark(author, rubric_id=CARE)
    row = (await author.get("benchmarks?limit=1"))["items"][0]
    assert row == {name: value for name, value in made.items() if name != "runs"} | {"run_count": 2}
    assert await author.get(f"benchmarks/{made['id']}") == made
    assert [call["id"] for run in made["runs"] for m in run["messages"] for call in m["tool_calls"]] == [
        "call_1",
        "call_1",
    ]


async def test_a_benchmark_names_what_exists(people: People) -> None:
    author = people.a("author")
    body = {"name": "Desk", "agent_ids": [new()], "rubric_id": new(), "runs": [{**RUN, "rubric_id": new()}]}
    answer = await author.post("benchmarks", body, status=400)
    assert [problem["loc"] for problem in answer["error"]["details"]] == [
        ["agent_ids", 0],
        ["rubric_id"],
        ["runs", 0, "rubric_id"],
    ]
    made = await make_benchmark(author, rubric_id=CARE)
    used = await author.delete(f"agents/{made['agent_ids'][0]}", status=409)
    assert "benchmark “Desk”" in used["error"]["message"]
    twice = await author.put(f"benchmarks/{made['id']}", {**made, "runs": [made["runs"][0]] * 2}, status=400)
    assert twice["error"]["details"][0]["loc"] == ["runs", 1, "id"]


async def test_a_copy_has_new_ids_and_the_recordings_as_they_were(people: People) -> None:
    author = people.a("author")
    made = await make_benchmark(author)
    copy = await author.post(f"benchmarks/{made['id']}/duplicate")
    assert copy["agent_ids"] == made["agent_ids"]
    assert [run["messages"] for run in copy["runs"]] == [run["messages"] for run in made["runs"]]
    assert {run["id"] for run in copy["runs"]}.isdisjoint({run["id"] for run in made["runs"]})


async def test_a_closed_chat_becomes_a_run_once(server: Server, cast: Cast, people: People) -> None:
    author = people.a("author")
    made = await make_benchmark(author)
    chat_id = await closed_chat(server, cast)
    run = await author.post(f"benchmarks/{made['id']}/runs", {"chat_id": chat_id})
    assert (run["benchmark_id"], run["version"], run["rubric_id"]) == (made["id"], 2, None)
    assert [(m["role"], m["content"]) for m in run["messages"][1:]] == [
        ("user", "Hello."),
        ("assistant", "I am Ada."),
    ]
    assert "SECRET-INSTRUCTIONS" in run["messages"][0]["content"]
    again = await author.post(f"benchmarks/{made['id']}/runs", {"chat_id": chat_id}, status=200)
    assert again == run
    whole = await author.get(f"benchmarks/{made['id']}")
    assert [r["name"] for r in whole["runs"]] == ["Where is it?", "Again", run["name"]]
    foreign = people.a("author", org="elsewhere")
    assert await foreign.outcome("POST", f"benchmarks/{made['id']}/runs", {"chat_id": chat_id}) == 404
    theirs = await foreign.post("agents", {"name": "A"})
    other = await foreign.post("benchmarks", {"name": "B", "agent_ids": [theirs["id"]], "runs": [RUN]})
    assert await foreign.outcome("POST", f"benchmarks/{other['id']}/runs", {"chat_id": chat_id}) == 404


async def test_chats_that_are_open_or_silent_are_refused(server: Server, cast: Cast, people: People) -> None:
    author = people.a("author")
    made = await make_benchmark(author)
    talk = await begin(await cast.learner())
    address = f"benchmarks/{made['id']}/runs"
    assert await author.outcome("POST", address, {"chat_id": talk.chat_id}) == 409
    silent = await closed_chat(server, cast, said=False)
    assert await author.outcome("POST", address, {"chat_id": silent}) == 409
    assert len((await author.get(f"benchmarks/{made['id']}"))["runs"]) == 2
    assert len(await stored(server, "chats", owner=cast.learner_id)) == 2


async def test_a_conversation_that_is_sent_becomes_a_run(people: People) -> None:
    author = people.a("author")
    made = await make_benchmark(author)
    address = f"benchmarks/{made['id']}/runs"
    run = await author.post(address, {"run": {**RUN, "rubric_id": CARE}})
    assert (await author.post(address, {"run": RUN}, status=200))["id"] == run["id"]
    given = new()
    assert (await author.post(address, {"run": {**RUN, "id": given}}))["id"] == given


async def test_a_body_that_names_nothing_is_refused(people: People) -> None:
    author = people.a("author")
    made = await make_benchmark(author)
    address = f"benchmarks/{made['id']}/runs"
    bad: list[object] = [
        {},
        [],
        {"chat_id": new(), "run": RUN},
        {"chat": new()},
        {"run": 3},
        {"run": {"name": "x", "messages": []}},
        {"run": {**RUN, "more": 1}},
        {"run": {**RUN, "rubric_id": new()}},
    ]
    for body in bad:
        assert await author.outcome("POST", address, body) == 400, body
    for chat_id in (new(), 3, None, "x"):
        assert await author.outcome("POST", address, {"chat_id": chat_id}) == 404
    assert await author.outcome("POST", f"benchmarks/{new()}/runs", {"run": RUN}) == 404
    await author.ask("POST", address, status=400, data=b"{")


async def test_runs_that_come_at_the_same_time_are_all_kept(people: People) -> None:
    author = people.a("author")
    made = await make_benchmark(author)
    runs = [{"name": str(i), "messages": [{"role": "user", "content": str(i)}]} for i in range(4)]
    sent = [*runs, *runs]
    address = f"benchmarks/{made['id']}/runs"
    codes = await asyncio.gather(*(author.outcome("POST", address, {"run": run}) for run in sent))
    assert sorted(codes) == [200] * 4 + [201] * 4
    whole = await author.get(f"benchmarks/{made['id']}")
    assert sorted(run["name"] for run in whole["runs"]) == ["0", "1", "2", "3", "Again", "Where is it?"]


async def test_a_benchmark_that_is_full_takes_no_more(people: People) -> None:
    author = people.a("author")
    short = [{"name": "r", "messages": [{"role": "user", "content": str(i)}]} for i in range(2_000)]
    made = await make_benchmark(author, runs=short)
    answer = await author.post(f"benchmarks/{made['id']}/runs", {"run": RUN}, status=413)
    assert answer["error"]["code"] == "too_large"
    assert "2,001 runs" in answer["error"]["message"]
    assert len(orjson.dumps(await author.get("benchmarks?limit=1"))) < 2_000
