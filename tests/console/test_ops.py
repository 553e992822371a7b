"""Operations in a browser: figures second by second, and what starts, ends and fails."""

from playwright.async_api import expect

from schemas.room import OpsBeat
from server.engine.ids import new
from server.transports import keys
from tests.console.visitor import Console
from tests.support.attempts import begin
from tests.support.clients import socket


def tile(title: str) -> str:
    """Return the selector of a figure."""
    return f".ops-tile:has(dt:text-is('{title}')) dd"


async def test_figures_come_each_second(console: Console) -> None:
    visitor = await console.visit("ops")
    await visitor.open("ops")
    page = visitor.page
    await expect(page.locator(tile("Processes"))).to_have_text("1")
    await expect(page.locator(tile("Connections"))).not_to_have_text("–")
    await expect(page.get_by_role("row").filter(has_text="beats")).to_have_count(1)
    await expect(page.get_by_role("link", name="Metrics for Prometheus")).to_have_attribute(
        "href", "/metrics"
    )
    await visitor.axe()
    await visitor.fits()


async def test_what_starts_and_fails_is_told_at_once(console: Console) -> None:
    visitor = await console.visit("ops")
    await visitor.open("ops")
    page = visitor.page
    happened = page.get_by_role("region", name="What happened")
    await expect(happened).to_be_visible()
    console.model.script([{"status": 400}])
    server, learner = console.server, new()
    async with socket(server.url, {"token": server.token(learner)}) as client:
        talk = await begin(client, "one")
        await expect(happened.locator("tbody tr").filter(has_text="started")).not_to_have_count(0)
        await talk.send("Hello")
        await expect(happened.locator("tbody tr").filter(has_text="failed")).to_contain_text("upstream")
        going = page.get_by_role("region", name="Going on")
        row = going.get_by_role("row").filter(has_text=learner[:8])
        await expect(row.get_by_role("link")).to_have_attribute("href", f"#/watch/profile_{learner}")
        await talk.end(grade=False)
        await expect(row).to_have_count(0)
    await page.get_by_label("Phase").select_option("error")
    await expect(happened.locator("tbody tr").filter(has_text="ended")).to_have_count(0)


async def test_what_waits_is_seen_to_rise_and_fall(console: Console) -> None:
    visitor = await console.visit("ops")
    await visitor.open("ops")
    page = visitor.page
    await expect(page.locator(tile("Jobs waiting")).first).to_have_text("0")
    documents = console.store.database.pipeline_documents
    rows = [{"_id": new(), "id": str(n), "pipeline_id": new(), "state": "queued"} for n in range(3)]
    await documents.insert_many(rows)
    await expect(page.locator(tile("Jobs waiting"))).to_have_text(["3", "3 documents"])
    await expect(page.get_by_role("figure", name="Jobs waiting")).to_contain_text("3 now")
    await documents.delete_many({"_id": {"$in": [row["_id"] for row in rows]}})
    await expect(page.locator(tile("Jobs waiting"))).to_have_text(["0"])


async def test_what_happened_before_one_came_is_shown(console: Console) -> None:
    server, learner = console.server, new()
    async with socket(server.url, {"token": server.token(learner)}) as client:
        await (await begin(client, "one")).end(grade=False)
    visitor = await console.visit("admin")
    await visitor.open("ops")
    happened = visitor.page.get_by_role("region", name="What happened")
    await expect(happened.locator("tbody tr").filter(has_text=learner[:8])).to_have_count(2)


async def test_a_gap_is_a_gap(console: Console) -> None:
    """While the line is away nothing is heard, and that is said; afterwards the figures go on."""
    visitor = await console.visit("ops")
    await visitor.open("ops")
    page = visitor.page
    await expect(page.locator(tile("Processes"))).to_have_text("1")
    await visitor.drop()
    await expect(page.get_by_text("No beat is heard until the line is back")).to_be_visible()
    await expect(page.locator(tile("Connections"))).to_have_text("–")
    await expect(page.get_by_role("row").filter(has_text="silent for")).to_have_count(1)
    await visitor.mend()
    await expect(page.locator(tile("Connections"))).not_to_have_text("–")
    await expect(page.get_by_role("row").filter(has_text="beats")).to_have_count(1)


async def test_several_processes_are_together_or_each_by_itself(console: Console) -> None:
    visitor = await console.visit("ops", phone=True)
    await visitor.open("ops")
    page = visitor.page
    await expect(page.locator(tile("Processes"))).to_have_text("1")
    beat = OpsBeat(
        process="another",
        connections=7,
        replies_running=0,
        deltas_per_s=0,
        deliveries_per_s=0,
        jobs=0,
        errors=0,
        loop_lag_ms=1,
    )
    console.server.app[keys.BELL].flash("ops", beat.event, beat.encode())  # as a sibling's comes
    await expect(page.get_by_role("row").filter(has_text="another")).to_have_count(1)
    await page.get_by_label("Show processes").select_option("apart")
    await expect(page.locator(".chart").first).to_contain_text("another: 7 now")
    await visitor.fits()
    await visitor.axe()
