"""Content over HTTP: who sees what, and what may be stored, copied and deleted."""

import asyncio
from itertools import product
from typing import Any

import pytest

from schemas.envelope import Role
from server.engine.ids import new
from server.engine.packs import content_id
from tests.support.rest import People
from tests.support.running import home, practice

ROLES: tuple[Role, ...] = ("learner", "author", "ops", "admin")
KINDS = ("personas", "rubrics", "documents", "scenarios", "practices", "homes")
ASSIGNED = "00000000-0000-4000-8000-000000000001"
ADA = content_id("lesson", "persona", "ada")
PLAIN = content_id("lesson", "scenario", "plain")
QUIZ = content_id("lesson", "scenario", "quiz")
CARE = content_id("lesson", "rubric", "care")
ONE = {
    "personas": ADA,
    "rubrics": CARE,
    "documents": content_id("lesson", "document", "note"),
    "scenarios": PLAIN,
    "practices": practice("one"),
    "homes": home("everyone"),
}
PERSONA = {"name": "Cleo", "instructions": "You are Cleo."}
QUESTION = {"text": "Which?", "options": [{"text": "This", "is_correct": True}, {"text": "That"}]}
RUBRIC = {
    "name": "Short",
    "points": 2,
    "pass_points": 1,
    "groups": [
        {
            "name": "Only",
            "points": 2,
            "pass_points": 1,
            "standards": [
                {"level": 1, "points": 0, "description": "No."},
                {"level": 2, "points": 2, "description": "Yes."},
            ],
        }
    ],
}


async def test_everybody_reads_content_and_other_organisations_see_nothing(people: People) -> None:
    foreign = people.a("author", org="elsewhere")
    for kind, role in product(KINDS, ROLES):
        person = people.a(role)
        items = (await person.get(kind))["items"]
        assert ONE[kind] in {item["id"] for item in items}
        row = await person.get(f"{kind}/{ONE[kind]}")
        assert row in items
        assert person.answered["ETag"] == '"1"'
    for kind in KINDS:
        assert await foreign.get(kind) == {"items": [], "next_cursor": None}
        missing = await foreign.get(f"{kind}/{new()}", status=404)
        assert await foreign.get(f"{kind}/{ONE[kind]}", status=404) == missing


async def test_learners_and_ops_see_no_secrets(people: People) -> None:
    for person in (people.a("learner"), people.a("ops"), people.with_token(None)):
        for kind in KINDS:
            text = (await person.ask("GET", f"{kind}?limit=200", status=200)).decode()
            for secret in (
                "SECRET",
                "instructions",
                "situation",
                "hint_guidance",
                "is_correct",
                "profiles",
                ASSIGNED,
            ):
                assert secret not in text, (kind, secret)
        persona = await person.get(f"personas/{ADA}")
        assert set(persona) >= {"id", "name", "description", "color", "icon"}
    author = people.a("author")
    assert "SECRET-INSTRUCTIONS" in (await author.get(f"personas/{ADA}"))["instructions"]
    assert "SECRET-SITUATION" in (await author.get(f"scenarios/{PLAIN}"))["situation"]
    assert (await author.get(f"homes/{home('nobody')}"))["profiles"] == [ASSIGNED]


async def test_homes_are_for_those_they_are_assigned_to(people: People) -> None:
    somebody, other = people.a("learner", profile=ASSIGNED), people.a("learner")
    assert set(await somebody.names("homes")) == {"For everyone", "For one"}
    assert set(await other.names("homes")) == {"For everyone"}
    assert (await somebody.get(f"homes/{home('nobody')}"))["name"] == "For one"
    assert await other.refused(f"homes/{home('nobody')}", status=404) == "not_found"
    assert await other.refused(f"homes/{new()}", status=404) == "not_found"
    assert set(await people.a("ops").names("homes")) == {"For everyone", "For one"}


async def test_pages_hold_everything_once(people: People) -> None:
    learner = people.a("learner")
    whole = [item["id"] for item in (await learner.get("scenarios?limit=200"))["items"]]
    for limit in (1, 5, len(whole)):
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = await learner.get(f"scenarios?limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
            assert len(page["items"]) <= limit
            found += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
        assert found == whole


async def test_bad_limits(people: People) -> None:
    for query in ("limit=0", "limit=201", "limit=-1", "limit=x", "limit=", "limit=1.5", "limit=٣"):
        error = (await people.a("learner").get(f"personas?{query}", status=400))["error"]
        assert error["code"] == "bad_request"
        assert [problem["loc"] for problem in error["details"]] == [["query", "limit"]]


BAD_CURSORS = ("x", "%00", "e30=", "W10=", "WzEsMl0=", "bnVsbA==", "WzFlOTksImEiXQ==", "ü")


async def test_bad_cursors(people: People) -> None:
    learner = people.a("learner")
    for path, cursor in product(("personas", "attempts", "messages", "rooms"), BAD_CURSORS):
        assert await learner.refused(f"{path}?cursor={cursor}", status=400) == "bad_request"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("personas", {"name": "A", "instructions": "B", "x\0y": 1}),
        (
            "drafts",
            {
                "artifact_type": "persona",
                "deep": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],
            },
        ),
        ("practices", {"name": "A", "scenarios": [{"scenario_id": ADA, "position": 2**63}]}),
        ("personas", {"name": "A", "instructions": "B", "examples": [{"\0": 2**53 + 1}]}),
    ],
)
async def test_what_cannot_be_kept_is_a_bad_request(people: People, path: str, body: object) -> None:
    answer = await people.a("author").post(path, body, status=400)
    assert answer["error"]["code"] == "bad_request"


async def test_what_does_not_exist(people: People) -> None:
    for path in (
        "personas/1",
        "personas/..",
        f"personas/{ADA}x",
        f"personas/{{{ADA}}}",
        "personas/%00",
        "wishes",
        "runs/1",
        "drafts/1",
    ):
        assert await people.a("author").refused(path, status=404) == "not_found"


async def test_without_a_valid_token(people: People) -> None:
    nobody = people.with_token("nonsense")
    for path in (*KINDS, *ONE, f"personas/{ADA}"):
        assert await nobody.refused(path, status=401) == "unauthenticated"
    for method in ("PUT", "DELETE"):
        await nobody.ask(method, f"personas/{ADA}", status=401)
    await nobody.ask("POST", "personas", status=401)


# --- changes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["learner", "ops"])
async def test_only_authors_change_what_others_see(people: People, role: Any) -> None:
    person = people.a(role)
    for kind in KINDS:
        key = ONE[kind]
        for method, path in (("PUT", key), ("DELETE", key), ("POST", f"{key}/duplicate")):
            await person.ask(method, f"{kind}/{path}", status=403, data=b"{}")
        await person.ask("POST", kind, status=403, data=b"{}")
        await person.ask("PUT", f"{kind}/{new()}", status=404, data=b"{}")
        await person.ask("DELETE", f"{kind}/{new()}", status=404)
    if role == "learner":
        await person.ask("PUT", f"homes/{home('nobody')}", status=404, data=b"{}")


async def test_foreign_content_cannot_be_changed(people: People) -> None:
    foreign, author = people.a("author", org="elsewhere"), people.a("author")
    before = await author.get(f"personas/{ADA}")
    await foreign.put(f"personas/{ADA}", PERSONA, 404)
    await foreign.put(f"personas/{ADA}", PERSONA, 404, version="1")
    await foreign.delete(f"personas/{ADA}", 404)
    await foreign.post(f"personas/{ADA}/duplicate", status=404)
    await author.put(f"rubrics/{ADA}", RUBRIC, 404)  # the id of another kind
    assert await author.get(f"personas/{ADA}") == before


async def test_a_persona_over_its_life(people: People) -> None:
    author = people.a("author")
    made = await author.post("personas", PERSONA)
    path = f"personas/{made['id']}"
    assert author.answered["Location"] == f"/api/v1/{path}"
    assert (made["kind"], made["version"], made["name"]) == ("persona", 1, "Cleo")
    assert await author.get(path) == made
    changed = await author.put(path, {**made, "name": "Clea"})  # what was read can be given back
    assert (changed["version"], changed["name"], changed["created_at"]) == (2, "Clea", made["created_at"])
    assert (await author.put(path, changed))["version"] == 2  # nothing changed
    await author.delete(path)
    assert await author.refused(path, status=404) == "not_found"
    await author.delete(path, 404)
    assert (await author.put(path, PERSONA, 201))["version"] == 1


async def test_a_version_protects_the_change_of_somebody_else(people: People) -> None:
    author = people.a("author")
    path = f"personas/{(await author.post('personas', PERSONA))['id']}"
    assert (await author.put(path, {**PERSONA, "name": "B"}, version='"1"'))["version"] == 2
    refused = await author.put(path, {**PERSONA, "name": "C"}, 409, version="1")
    assert refused["error"]["code"] == "conflict"
    assert (await author.get(path))["name"] == "B"
    await author.put(path, PERSONA, 400, version="new")
    await author.put(f"personas/{new()}", PERSONA, 404, version="1")


async def test_of_several_changes_of_one_version_one_wins(people: People) -> None:
    author = people.a("author")
    path = f"personas/{(await author.post('personas', PERSONA))['id']}"
    bodies = [{**PERSONA, "name": f"N{i}"} for i in range(8)]
    outcomes = await asyncio.gather(*(author.outcome("PUT", path, b, version="1") for b in bodies))
    assert sorted(outcomes) == [200, *[409] * 7]
    assert (await author.get(path))["version"] == 2


async def test_the_same_new_id_from_several_authors_at_once(people: People) -> None:
    path = f"personas/{new()}"
    bodies = [{**PERSONA, "name": f"N{i}"} for i in range(6)]
    outcomes = await asyncio.gather(*(people.a("author").outcome("PUT", path, b) for b in bodies))
    assert set(outcomes) <= {200, 201}
    assert (await people.a("author").get(path))["version"] == 6


async def test_parts_get_ids_and_a_copy_gets_new_ones(people: People) -> None:
    author = people.a("author")
    rubric = await author.post("rubrics", RUBRIC)
    copy = await author.post(f"rubrics/{rubric['id']}/duplicate")
    assert copy["name"] == "Short (copy)"
    assert len(ids(rubric)) == 4
    assert not ids(rubric) & ids(copy)
    assert without_ids(copy["groups"]) == without_ids(rubric["groups"])
    quiz = await author.get(f"scenarios/{QUIZ}")
    twin = await author.post(f"scenarios/{QUIZ}/duplicate")
    assert not ids(quiz) & ids(twin)
    assert twin["questions"][0]["video_id"] == twin["videos"][0]["id"]
    assert twin["persona_id"] == quiz["persona_id"]
    assert len(twin["questions"][1]["options"]) == 3
    long = await author.post("personas", {**PERSONA, "name": "N" * 200})
    assert len((await author.post(f"personas/{long['id']}/duplicate"))["name"]) == 200


def ids(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*(ids(v) for v in value))
    if isinstance(value, dict):
        return (
            {value["id"]}
            if "id" in value and len(value) == 1
            else ids(list(value.values())) | ({value["id"]} if "id" in value else set())
        )
    return set()


def without_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [without_ids(v) for v in value]
    if isinstance(value, dict):
        return {k: without_ids(v) for k, v in value.items() if k not in ("id", "video_id")}
    return value


WRONG: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("personas", {}, ["name"]),
    ("personas", {**PERSONA, "nmae": "x"}, ["nmae"]),
    ("personas", {**PERSONA, "name": 3}, ["name"]),
    ("personas", {**PERSONA, "name": ""}, ["name"]),
    ("personas", {**PERSONA, "color": "red"}, ["color"]),
    ("personas", {**PERSONA, "temperature": "1"}, ["temperature"]),
    ("documents", {"name": "D", "text": "x" * 32_001}, ["text"]),
    ("rubrics", {**RUBRIC, "points": 3}, []),
    ("rubrics", {**RUBRIC, "groups": []}, ["groups"]),
    ("rubrics", {**RUBRIC, "groups": [1]}, ["groups", 0]),
    ("rubrics", {**RUBRIC, "groups": {"standards": []}}, ["groups"]),
    ("scenarios", {"name": "S", "persona_id": "ada"}, ["persona_id"]),
    ("scenarios", {"name": "S", "persona_id": CARE}, ["persona_id"]),
    ("scenarios", {"name": "S", "persona_id": ADA, "rubric_id": ADA}, ["rubric_id"]),
    ("scenarios", {"name": "S", "persona_id": ADA, "document_ids": [new()]}, ["document_ids", 0]),
    (
        "scenarios",
        {"name": "S", "persona_id": ADA, "questions": [{**QUESTION, "video_id": new()}]},
        ["questions", 0, "video_id"],
    ),
    ("practices", {"name": "P", "scenarios": []}, ["scenarios"]),
    ("practices", {"name": "P", "scenarios": [{"scenario_id": ADA}]}, ["scenarios", 0, "scenario_id"]),
    (
        "practices",
        {"name": "P", "scenarios": [{"scenario_id": PLAIN}, {"scenario_id": PLAIN, "rubric_id": new()}]},
        ["scenarios", 1, "rubric_id"],
    ),
    ("homes", {"name": "H", "scenarios": [{"scenario_id": PLAIN}], "profiles": "somebody"}, ["profiles"]),
]


async def test_what_is_wrong_is_named(people: People) -> None:
    author = people.a("author")
    for kind, body, loc in WRONG:
        for answer in (
            await author.post(kind, body, 400),
            await author.put(f"{kind}/{ONE[kind]}", body, 400),
        ):
            assert answer["error"]["code"] == "bad_request"
            assert answer["error"]["details"][0]["loc"][: len(loc)] == loc
        assert (await author.get(f"{kind}/{ONE[kind]}"))["version"] == 1


async def test_repeated_and_contradicting_ids(people: People) -> None:
    author, twice = people.a("author"), new()
    options = [{"id": twice, "text": "A", "is_correct": True}, {"id": twice, "text": "B"}]
    scenario = {"name": "S", "persona_id": ADA, "questions": [{"text": "Q", "options": options}]}
    answer = await author.post("scenarios", scenario, 400)
    assert answer["error"]["details"][0]["loc"] == ["questions", 0, "options", 1, "id"]
    answer = await author.put(f"personas/{ADA}", {**PERSONA, "id": new()}, 400)
    assert answer["error"]["details"][0]["loc"] == ["id"]


UNREADABLE = [
    (b"{", 400),
    (b"[]", 400),
    (b'"x"', 400),
    (b'{"name": NaN}', 400),
    (b'{"name": "\xff"}', 400),
    (b'{"a":' * 5000 + b"1" + b"}" * 5000, 400),
    (b'{"name": "' + b"x" * 300_000 + b'"}', 413),
]


async def test_bodies_that_cannot_be_read(people: People) -> None:
    author = people.a("author")
    for data, status in UNREADABLE:
        await author.ask("POST", "personas", status=status, data=data)
        await author.ask("PUT", f"personas/{ADA}", status=status, data=data)


async def test_what_is_used_cannot_be_deleted(people: People) -> None:
    author = people.a("author")
    for path in (f"personas/{ADA}", f"rubrics/{CARE}", f"documents/{ONE['documents']}", f"scenarios/{PLAIN}"):
        answer = await author.delete(path, 409)
        assert "still used by" in answer["error"]["message"]
    await author.delete(f"homes/{home('everyone')}")
    await author.delete(f"practices/{practice('quiz')}")
    await author.delete(f"scenarios/{QUIZ}")


async def test_what_an_author_makes_can_be_practised_at_once(people: People) -> None:
    author, learner = people.a("author"), people.a("learner")
    persona = await author.post("personas", PERSONA)
    scenario = await author.post("scenarios", {"name": "New", "persona_id": persona["id"]})
    made = await author.post("practices", {"name": "Fresh", "scenarios": [{"scenario_id": scenario["id"]}]})
    assert made["name"] in await learner.names("practices")
    assert (await learner.get(f"scenarios/{scenario['id']}"))["persona_id"] == persona["id"]
