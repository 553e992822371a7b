"""Practise: what a grade says besides its points, and who judged."""

from playwright.async_api import Page, expect

from server.engine.packs import read_pack
from server.transports import keys
from tests.console.test_practise import begin, messages, say, verdict
from tests.console.visitor import Console

PANEL = """
pack: {id: panel, name: Panel}
personas:
  eve: {name: Eve, instructions: You are Eve.}
rubrics:
  panel:
    name: Panel
    judges: 3
    pass_points: 2
    groups:
      listening:
        name: Listening
        description: Does the learner listen?
        pass_points: 2
        standards:
          - {level: 1, points: 0, description: Ignores what is said.}
          - {level: 2, points: 4, description: Asks about what is said.}
scenarios:
  panel: {name: Before a panel, persona: eve, rubric: panel}
practices:
  panel: {name: Panel, scenarios: [panel]}
"""
ASKED = "What do you expect? I will tell you anyway."
REVIEW = (
    {
        "match": {"schema": "StrengthsDraft"},
        "json": {
            "strengths": [
                {
                    "message": "m1",
                    "highlights": ["What do you expect?"],
                    "name": "Asking",
                    "description": "You asked openly.",
                }
            ]
        },
    },
    {
        "match": {"schema": "ImprovementsDraft"},
        "json": {
            "improvements": [
                {
                    "message": "m1",
                    "replacements": [
                        {"section": "I will tell you anyway.", "replace": "Tell me more."},
                    ],
                    "name": "Patience",
                    "description": "Wait for the answer.",
                }
            ]
        },
    },
    {"match": {"schema": "AnalysesDraft"}, "json": {"analyses": ["You asked, and did not wait."]}},
)


async def graded(console: Console) -> Page:
    """Talk before a panel of which one judge disagrees, and be graded."""
    pack = read_pack(PANEL, file="panel.yaml")
    await console.server.app[keys.STORE].content.put(pack.contents, org="default")
    strict = verdict("Listening", 1, "You did not listen.") | {"times": 1}
    await console.server.script(strict, verdict("Listening", 2, "You asked."), *REVIEW)
    visitor = await console.visit("learner")
    page = await begin(visitor, "Panel")
    await say(page, ASKED, count=2, persona="Eve")
    await page.get_by_role("button", name="End and grade").click()
    await expect(page.get_by_text("4 of 4 points", exact=True).first).to_be_visible()
    return page


async def test_a_grade_says_what_was_good_what_was_not_and_who_judged(console: Console) -> None:
    page = await graded(console)
    grade = page.get_by_role("region", name="Grade", exact=True)
    strong = grade.get_by_role("listitem").filter(has_text="You asked openly.")
    await expect(strong).to_contain_text("Asking")
    better = grade.get_by_role("listitem").filter(has_text="Wait for the answer.")
    await expect(better).to_contain_text("Tell me more.")
    await expect(grade).to_contain_text("You asked, and did not wait.")
    await grade.get_by_text("3 judges, agreement").click()
    for points, count in ((4, 2), (0, 1)):
        await expect(grade.get_by_text(f"Listening: {points}", exact=True)).to_have_count(count)
    await console.visitors[0].axe()
    await better.get_by_role("button", name="I will tell you anyway.").click()
    await expect(messages(page).first.locator("mark")).to_have_text("I will tell you anyway.")
    await messages(page).first.get_by_role("button", name="Back to the feedback").click()
    await strong.get_by_role("button", name="What do you expect?").click()
    await expect(messages(page).first.locator("mark")).to_have_text("What do you expect?")
    await page.reload()
    await expect(grade).to_contain_text("Wait for the answer.")
