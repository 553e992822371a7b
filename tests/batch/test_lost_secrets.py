"""Jobs with keys whose secret was changed: they wait for it, and end when it does not come back."""

from datetime import timedelta

from schemas.envelope import Id, utc_now
from server.engine.batch.lost_secrets import LOST_SECONDS, LostSecrets
from server.engine.batch.sealing import Sealing
from server.transports import keys
from tests.batch.conftest import OpenShop, Shop
from tests.batch.test_recovery import GHOST, haunt

OTHER = "seal of another"
LONG_AGO = timedelta(seconds=LOST_SECONDS + 60)


async def foreign(shop: Shop, *, age: timedelta) -> Id:
    """Start a job that is sealed with another secret, some time ago."""
    job = await shop.start(9, config={"openai_api_key": "sk-client"})
    sealed = {"keys": b"of another", "sealed_by": OTHER, "created_at": utc_now() - age}
    await shop.store.jobs.change(job.id, when={}, update={"$set": sealed})
    return job.id


async def shown(shop: Shop, *, age: timedelta) -> None:
    """Let the other secret have been shown last some time ago."""
    seen = {"$set": {"shown": utc_now() - age}}
    await shop.store.database.job_seals.update_one({"_id": OTHER}, seen, upsert=True)


def lost_secrets(shop: Shop) -> LostSecrets:
    """Return what looks for lost secrets."""
    return shop.server.app[keys.BATCH_KEEPER].lost_secrets


async def test_a_job_whose_secret_nobody_has_any_more_fails_and_its_keys_are_erased(
    open_shop: OpenShop,
) -> None:
    async with open_shop(job_slots=0) as shop:
        waiting, died = await foreign(shop, age=LONG_AGO), await foreign(shop, age=LONG_AGO)
        await haunt(shop, died, count=7, published=0)
        await shown(shop, age=LONG_AGO)
        await lost_secrets(shop).look()
        for job_id, results in ((waiting, 0), (died, 7)):
            job = await shop.ended(job_id)
            assert (job.state, job.results, job.keys) == ("failed", results, None)
            assert job.error is not None
            assert job.error.message == "The keys of this job cannot be read; start it again."


async def test_jobs_of_others_are_left_alone_while_their_secret_may_come_back(open_shop: OpenShop) -> None:
    async with open_shop(job_slots=0) as shop:
        young = await foreign(shop, age=timedelta(seconds=LOST_SECONDS - 60))
        await lost_secrets(shop).look()
        old = await foreign(shop, age=LONG_AGO)
        await shown(shop, age=timedelta(seconds=LOST_SECONDS - 60))
        await lost_secrets(shop).look()
        assert [(await shop.get(job)).state for job in (young, old)] == ["queued", "queued"]
        await shop.store.jobs.show_seal(OTHER)
        assert OTHER in {row["_id"] async for row in shop.store.database.job_seals.find()}
        await lost_secrets(shop).look()
        assert (await shop.get(old)).keys == b"of another"


async def test_a_job_that_a_living_process_does_is_left_alone(open_shop: OpenShop) -> None:
    async with open_shop(job_slots=0) as shop:
        job_id = await foreign(shop, age=LONG_AGO)
        await haunt(shop, job_id, count=1, published=0)
        await shop.store.processes.beat(GHOST)
        await lost_secrets(shop).look()
        assert (await shop.get(job_id)).state == "running"


async def test_a_worker_gives_up_nothing_and_servers_show_their_secret(open_shop: OpenShop) -> None:
    async with open_shop(job_slots=0) as shop:
        job_id = await foreign(shop, age=LONG_AGO)
        look = lost_secrets(shop)
        mine = look._sealing
        look._sealing = Sealing(None)
        await look.look()
        assert (await shop.get(job_id)).state == "queued"
        look._sealing = mine
        await look.look()
        assert mine.takes_jobs
        assert mine.seal in {row["_id"] async for row in shop.store.database.job_seals.find()}
        assert (await shop.ended(job_id)).state == "failed"
