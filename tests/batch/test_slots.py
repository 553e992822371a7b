"""Slots of batch jobs: some of their own, so that long ones hold up nobody else."""

from contextlib import AsyncExitStack
from pathlib import Path
from shutil import copytree
from typing import Any

from server.transports import keys
from tests.batch.conftest import OpenShop
from tests.conftest import Cast
from tests.support.batches import MIRROR, job_of
from tests.support.running import load_pack
from tests.support.trials import begin

LONG = {"match": {"last_contains": "cups"}, "hang": True}


async def test_tests_end_while_batch_jobs_take_long(open_shop: OpenShop) -> None:
    async with open_shop(job_slots=2) as shop, AsyncExitStack() as stack:
        await load_pack(shop.server.app)
        await shop.server.script(LONG, {"reply": "Hello."})
        jobs = [await shop.start(1) for _ in range(3)]
        await shop.server.model.until("running", 1)
        trial = await begin(await Cast(shop.server, stack).author())
        await trial.client.send("test_join", invocation_id=trial.invocation_id)
        await trial.run("short")
        assert sorted([(await shop.get(job.id)).state for job in jobs]) == ["queued", "queued", "running"]
        assert shop.server.app[keys.BATCH_JOBS].running == 1


async def test_a_job_of_hostile_documents_holds_up_no_other(open_shop: OpenShop, tmp_path: Path) -> None:
    mirror = copytree(MIRROR, tmp_path / "mirror")
    lines = ["m0: &m0 {a: 1, b: 2}"]
    for level in range(1, 14):
        lines.append(f"m{level}: &m{level} {{<<: [{', '.join([f'*m{level - 1}'] * 9)}]}}")
    for number in range(8):
        (mirror / "shop.test" / f"{number}.yaml").write_text("\n".join([*lines, "paths: {}"]))
    async with open_shop(job_slots=4, url_mirror=mirror) as shop:
        hostile = await shop.start(
            1, **own_groups([f"https://shop.test/{number}.yaml" for number in range(8)])
        )
        other = await shop.ended((await shop.start(1)).id)
        assert (await shop.results(other.id, 1))[0].is_run_completed
        await shop.ended(hostile.id)
        errors = [result.error for result in await shop.results(hostile.id, 8)]
        assert [(error.code, "too much for one document" in error.message) for error in errors if error] == [
            ("bad_request", True)
        ] * 8


def own_groups(urls: list[str]) -> dict[str, Any]:
    """Return the groups and permutations of a job that gives each manifest to a permutation of its own."""
    plain = job_of()["permutations"][0]
    return {
        "plugin_groups": [{"name": url, "plugins": [{"manifest_url": url}]} for url in urls],
        "permutations": [
            {**plain, "name": url, "tool_selector": {**plain["tool_selector"], "plugin_group_name": url}}
            for url in urls
        ],
    }
