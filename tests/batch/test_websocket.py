"""Batch jobs over the WebSocket: results, summary, resuming and cancelling."""

import pytest

from schemas.batch import BatchResult, JobSummary
from server.transports import keys
from tests.batch.conftest import Shop
from tests.batch.sockets import last_words, opened, token_of
from tests.support.batch_jobs import KEYS, Ended, is_summary
from tests.support.batches import FINDS, job_of, until_ended, until_results

SLOWLY = {**FINDS, "first_delay_ms": 30}
NEVER = {"hang": True}


async def test_a_job_is_answered_by_its_results_and_its_summary(shop: Shop) -> None:
    async with opened(shop) as talk:
        await talk.say(job_of(12))
        results, summary = await talk.whole()
    assert [r["index"] for r in results] == list(range(12))
    assert {r["job_id"] for r in results} == {summary["job_id"]}
    assert summary["status"] == "completed"
    assert summary["details"] == results
    assert list(summary) == list(JobSummary.model_fields)


async def test_results_have_the_keys_of_the_contract_in_its_order_and_keep_nulls(shop: Shop) -> None:
    async with opened(shop) as talk:
        await talk.say(job_of(1))
        results, _ = await talk.whole()
    assert tuple(results[0])[: len(KEYS)] == KEYS
    assert list(results[0]) == list(BatchResult.model_fields)
    assert results[0]["plugin_parameters_mapped"] is None
    assert results[0]["error"] is None


async def test_a_job_is_resumed_from_any_result_after_its_end(shop: Shop) -> None:
    job = await shop.ended((await shop.start(7)).id)
    for start in (0, 3, 6, 7, 8, 2**53):
        async with opened(shop) as talk:
            await talk.say({"resume": job.id, "from": start})
            results, summary = await talk.whole()
        assert [r["index"] for r in results] == list(range(start, 7)) if start < 7 else not results
        assert summary["job_id"] == job.id


async def test_without_from_all_is_sent_again(shop: Shop) -> None:
    job = await shop.ended((await shop.start(3)).id)
    async with opened(shop) as talk:
        await talk.say({"resume": job.id.upper()})
        results, _ = await talk.whole()
    assert len(results) == 3


async def test_a_running_job_is_resumed_with_what_is_stored_and_then_live(shop: Shop) -> None:
    shop.server.model.script([SLOWLY])
    async with opened(shop) as talk:
        await talk.say(job_of(12, concurrency=1))
        seen = await talk.results(4)
    async with opened(shop) as talk:
        await talk.say({"resume": seen[0]["job_id"], "from": 2})
        results, summary = await talk.whole()
    assert results[:2] == seen[2:]
    assert [r["index"] for r in results] == list(range(2, 12))
    assert summary["status"] == "completed"


async def test_who_resumes_behind_what_is_stored_waits_for_it(shop: Shop) -> None:
    shop.server.model.script([SLOWLY])
    job = await shop.start(8, config={"concurrency": 1})
    async with opened(shop) as talk:
        await talk.say({"resume": job.id, "from": 6})
        results, _ = await talk.whole()
    assert [r["index"] for r in results] == [6, 7]


async def test_closing_the_socket_does_not_stop_the_job(shop: Shop) -> None:
    shop.server.model.script([SLOWLY])
    async with opened(shop) as talk:
        await talk.say(job_of(6, concurrency=1))
        job_id = (await talk.hear())["job_id"]
    job = await until_ended(shop.batches, shop.author, job_id)
    assert (job.state, job.results) == ("completed", 6)


async def test_many_follow_one_job(shop: Shop) -> None:
    shop.server.model.script([SLOWLY])
    job = await shop.start(6, config={"concurrency": 2})
    async with opened(shop) as one, opened(shop, token=token_of(shop, "ops")) as other:
        for talk in (one, other):
            await talk.say({"resume": job.id})
        assert await one.whole() == await other.whole()


async def test_cancelling_keeps_what_is_finished(shop: Shop) -> None:
    shop.server.model.script([{**FINDS, "times": 5}, NEVER])
    async with opened(shop) as talk:
        await talk.say(job_of(40, concurrency=2))
        results = await talk.results(5)
        await talk.say({"cancel": True})
        rest, summary = await talk.whole()
    assert rest == []
    assert summary["status"] == "cancelled"
    assert summary["details"] == results


async def test_cancelling_before_the_first_result_ends_a_job(shop: Shop) -> None:
    shop.server.model.script([NEVER])
    async with opened(shop) as talk:
        await talk.say(job_of(40))
        await talk.say({"cancel": True})
        await talk.say({"cancel": True})
        results, summary = await talk.whole()
    assert (results, summary["status"], summary["details"]) == ([], "cancelled", [])


async def test_a_resumed_job_is_cancelled_too(shop: Shop) -> None:
    shop.server.model.script([NEVER])
    job = await shop.start(3)
    async with opened(shop) as talk:
        await talk.say({"resume": job.id})
        await talk.say({"cancel": True})
        assert (await talk.whole())[1]["status"] == "cancelled"
    async with opened(shop) as talk:
        await talk.say({"resume": job.id})
        await talk.say({"cancel": True})
        assert (await talk.whole())[1]["status"] == "cancelled"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("{", "bad_request"),
        ("[]", "bad_request"),
        ("", "bad_request"),
        ({"cancel": 1}, "bad_request"),
        ({"cancel": False}, "bad_request"),
        ({"resume": "x"}, "bad_request"),
        (job_of(1), "bad_request"),
        ("x" * (300 * 1024), "too_large"),
    ],
    ids=str,
)
async def test_what_is_odd_later_is_answered_and_changes_nothing(shop: Shop, said: object, code: str) -> None:
    shop.server.model.script([{**FINDS, "times": 1}, SLOWLY])
    async with opened(shop) as talk:
        await talk.say(job_of(20, concurrency=1))
        await talk.hear()
        await talk.say(said)
        heard = await talk.results()
        with pytest.raises(Ended) as ended:
            await talk.hear()
    assert ended.value.code == 1000
    errors = [m for m in heard if "code" in m]
    assert [(e["code"], set(e) - {"details"}) for e in errors] == [(code, {"error", "code", "job_id"})]
    assert {m["job_id"] for m in heard} == {heard[-1]["job_id"]}
    assert [m["index"] for m in heard if "index" in m] == list(range(1, 20))
    assert is_summary(heard[-1])
    assert len((await shop.batches.page(shop.author, limit=9, cursor=None)).items) == 1


async def test_a_binary_message_later_changes_nothing(shop: Shop) -> None:
    shop.server.model.script([NEVER])
    async with opened(shop) as talk:
        await talk.say(job_of(1))
        await talk.socket.send_bytes(b'{"cancel": true}')
        assert (await talk.hear())["code"] == "bad_request"
        await talk.say({"cancel": True})
        assert (await talk.whole())[1]["status"] == "cancelled"


async def test_operators_may_follow_a_job_and_not_stop_it(shop: Shop) -> None:
    shop.server.model.script([SLOWLY])
    job = await shop.start(3, config={"concurrency": 1})
    async with opened(shop, token=token_of(shop, "ops")) as talk:
        await talk.say({"resume": job.id})
        await talk.say({"cancel": True})
        heard = await talk.results()
    assert [m["code"] for m in heard if "code" in m] == ["forbidden"]
    assert heard[-1]["status"] == "completed"


async def test_who_is_known_by_an_address_or_a_key_is_let_in(shop: Shop) -> None:
    key = await shop.server.app[keys.ACCESS].create_key(role="author", profile_id=shop.author.id)
    job = await shop.ended((await shop.start(1)).id)
    for headers, query in (({}, f"?token={token_of(shop)}"), ({"X-API-Key": key}, ""), ({}, f"?token={key}")):
        async with opened(shop, headers=headers, query=query) as talk:
            await talk.say({"resume": job.id})
            assert len((await talk.whole())[0]) == 1


async def test_a_job_of_many_results_comes_whole_and_in_order(shop: Shop) -> None:
    async with opened(shop) as talk:
        await talk.say(job_of(1050, concurrency=64))
        results, summary = await talk.whole()
    assert [r["index"] for r in results] == list(range(1050))
    assert summary["details"] == 1050
    stored = await until_results(shop.batches, shop.author, summary["job_id"], 500)
    assert [r.model_dump(mode="json") for r in stored] == results[:500]


async def test_a_job_that_failed_says_why_in_its_summary(shop: Shop) -> None:
    shop.server.model.script([{"status": 400, "error": {"message": "no such model"}}])
    async with opened(shop) as talk:
        await talk.say(job_of(2))
        results, summary = await talk.whole()
    assert {(r["is_run_completed"], r["final_output"], r["verdict"]) for r in results} == {
        (False, "FAILED", "Error")
    }
    assert summary["summary"]["failed_cases"] == 2


async def test_cancelling_first_is_refused(shop: Shop) -> None:
    async with opened(shop) as talk:
        await talk.say({"cancel": True})
        message, code = await last_words(talk)
    assert (message["code"], code) == ("conflict", 1008)
