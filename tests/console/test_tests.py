"""Testing benchmarks: the matrix fills in live, runs beside their recordings, two tests compared."""

from pathlib import Path

from playwright.async_api import expect

from tests.conftest import Cast
from tests.console.visitor import Console
from tests.support.attempts import FULL_MARKS
from tests.support.trials import HANGING, LOOKUP, Trial, begin

OTHER = {"reply": "You are very welcome."}
AS_RECORDED = {"reply": "You are welcome."}
FAILING = {"status": 400, "times": 1}


def text_of(path: Path) -> str:
    """Return what was downloaded."""
    return path.read_text()


async def replayed(trial: Trial, *names: str) -> None:
    """Replay runs and have them graded, one after the other."""
    for name in names:
        run_id = await trial.run(name)
        await trial.client.send("test_end", **trial.ids, run_id=run_id)
        await trial.client.until("test_graded", run_id=run_id)


async def test_a_benchmark_is_tested_and_its_matrix_fills_in(console: Console) -> None:
    await console.server.script(*FULL_MARKS, {"reply": "Hm.", "delay_ms": 500})
    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("tests")
    await page.get_by_role("button", name="Test Desk").click()
    matrix = page.get_by_role("region", name="Runs by agent")
    await expect(matrix.get_by_role("link", name="short, Clerk: Replayed")).to_be_visible()
    await expect(matrix.get_by_role("link", name="greeting, Clerk: Replayed")).to_be_visible()
    await page.get_by_role("button", name="End and grade").click()
    await page.get_by_role("dialog").get_by_role("button", name="End and grade").click()
    await expect(matrix.get_by_role("link", name="greeting, Clerk: Passed")).to_be_visible()
    await expect(matrix.get_by_role("link", name="short, Clerk: Passed")).to_be_visible()
    await expect(page.get_by_role("region", name="Figures of each agent")).to_contain_text("100 %")
    async with page.expect_download() as saved:
        await page.get_by_role("button", name="CSV").click()
    assert (await saved.value).suggested_filename == "test.csv"
    await visitor.axe()


async def test_a_run_beside_its_recording(console: Console, cast: Cast) -> None:
    await console.server.script(*FULL_MARKS, OTHER)
    trial = await begin(await cast.author())
    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("tests", trial.test_id)
    cell = page.get_by_role("link", name="short, Clerk")
    await expect(cell).to_contain_text("Pending")
    await replayed(trial, "short")
    await expect(cell).to_contain_text("Passed")
    await cell.click()
    replay = page.get_by_role("region", name="Turn 1, replayed")
    await expect(replay).to_contain_text("You are very welcome.")
    await expect(replay.locator("ins")).to_contain_text("very")
    await expect(page.get_by_role("region", name="Turn 1, recorded")).to_contain_text("You are welcome.")
    await expect(page.get_by_text("1 of 1 turns differ.")).to_be_visible()
    await page.get_by_label("Mark differences").uncheck()
    await expect(replay.locator("ins")).to_have_count(0)
    await page.get_by_label("Mark differences").check()
    await expect(page.get_by_role("region", name="Grade")).to_contain_text("You were clear.")
    await visitor.axe()


async def test_two_tests_are_compared_on_a_phone(console: Console, cast: Cast) -> None:
    await console.server.script(FAILING, *FULL_MARKS, AS_RECORDED)
    client = await cast.author()
    earlier = await begin(client)
    failed = await earlier.send("short")
    await client.until("test_error", run_id=failed)
    later = await begin(client)
    await replayed(later, "short")
    visitor = await console.visit("author", phone=True)
    page = visitor.page
    await visitor.open("tests")
    picks = page.get_by_role("checkbox", name="Compare Desk")
    await expect(picks).to_have_count(2)
    for pick in await picks.all():
        await pick.check()
    await page.get_by_role("button", name="Compare two").click()
    await expect(page.get_by_text("1 better")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="short")
    await expect(row).to_contain_text("Failed")
    await expect(row).to_contain_text("Passed")
    await visitor.fits()
    await visitor.axe()


async def test_what_runs_is_stopped_and_replayed_later(console: Console) -> None:
    await console.server.script(HANGING)
    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("tests")
    await page.get_by_role("button", name="Test Desk").click()
    matrix = page.get_by_role("region", name="Runs by agent")
    await expect(matrix.get_by_role("link", name=": Running")).not_to_have_count(0)
    await page.get_by_role("button", name="Stop").click()
    await expect(matrix.get_by_role("link", name=": Pending")).to_have_count(3)
    await console.server.script(*FULL_MARKS, AS_RECORDED)
    await page.get_by_role("button", name="Replay the rest").click()
    await expect(matrix.get_by_role("link", name=": Replayed")).to_have_count(3)


async def test_rounds_are_chosen_and_a_broken_line_loses_no_grade(console: Console, cast: Cast) -> None:
    await console.server.script(*FULL_MARKS, AS_RECORDED)
    trial = await begin(await cast.author(), "last", infinite_mode=True)
    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("tests", trial.test_id)
    cell = page.get_by_role("link", name="greeting, Clerk")
    await expect(cell).to_contain_text("Pending")
    await visitor.drop()
    await replayed(trial, "greeting")
    await visitor.mend()
    await expect(page.get_by_label("Round")).to_have_value("2")
    await expect(cell).to_contain_text("Pending")
    await page.get_by_label("Round").select_option("Round 1")
    await expect(cell).to_contain_text("Passed 6 of 6")


async def test_every_report_is_downloaded_and_calls_of_tools_are_shown(console: Console, cast: Cast) -> None:
    await console.server.script(*FULL_MARKS, LOOKUP, {"reply": "It is on its way."})
    trial = await begin(await cast.author())
    await replayed(trial, "order")
    visitor = await console.visit("author")
    page = visitor.page
    await visitor.open("tests", trial.test_id)
    expected = {"HTML": "<!doctype html", "CSV": "order", "JSON": '"runs"', "JUnit": "<testsuite"}
    for name, part in expected.items():
        async with page.expect_download() as saved:
            await page.get_by_role("button", name=name, exact=True).click()
        assert part in text_of(await (await saved.value).path()), name
    await page.get_by_role("link", name="order, Clerk").click()
    replay = page.get_by_role("region", name="Turn 1, replayed")
    await expect(replay).to_contain_text("lookup")
    await expect(replay).to_contain_text("A-17")
    await expect(replay).to_contain_text("on its way")
