"""`load`, as a process."""

from pathlib import Path
from uuid import uuid4

import pytest

from server.engine.packs import content_id
from server.store import connect
from tests.cli.programs import ROOT, command

PACK = ROOT / "tests" / "data" / "packs" / "lesson.yaml"
BROKEN = """\
pack: {id: broken, name: Broken}
personas:
  ada:
    name: Ada
    instructons: You are Ada.
scenarios:
  talk:
    name: A talk
    persona: nobody
"""


@pytest.fixture
def env(mongod_url: str) -> dict[str, str]:
    return {"MONGODB_URL": mongod_url, "GREENROOM_MONGODB_DATABASE": f"load-{uuid4().hex[:12]}"}


async def stored(env: dict[str, str], org: str = "default") -> bool:
    """Tell whether an organisation has the pack's content."""
    store = connect(env["MONGODB_URL"], env["GREENROOM_MONGODB_DATABASE"])
    try:
        return bool((await store.content.page("persona", org=org, limit=1, cursor=None)).items)
    finally:
        store.close()


async def test_a_pack_is_loaded_and_loading_it_again_changes_nothing(
    env: dict[str, str], tmp_path: Path
) -> None:
    first = await command("load", str(PACK), "--data-dir", str(tmp_path), env=env)
    assert (first.code, first.err) == (0, "")
    assert first.out.startswith("lesson: ")
    assert "new or changed" in first.out
    again = await command("load", str(PACK), "--data-dir", str(tmp_path), env=env)
    assert "nothing new" in again.out
    assert await stored(env)
    assert not await stored(env, org="acme")


async def test_every_problem_is_told_and_nothing_is_stored(env: dict[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(BROKEN)
    finished = await command("load", str(PACK), str(broken), "--data-dir", str(tmp_path), env=env)
    assert (finished.code, finished.out) == (1, "")
    lines = finished.err.splitlines()
    assert any(f"{broken}:5: personas.ada.instructons: " in line for line in lines)
    assert any(f"{broken}:9: scenarios.talk.persona: " in line for line in lines)
    assert "Traceback" not in finished.err
    assert not await stored(env)


async def test_a_pack_may_refer_to_one_that_is_loaded(env: dict[str, str], tmp_path: Path) -> None:
    more = tmp_path / "more.yaml"
    more.write_text("pack: {id: more, name: More}\nscenarios:\n  talk: {name: A talk, persona: lesson/ada}\n")
    alone = await command("load", str(more), "--data-dir", str(tmp_path), env=env)
    assert alone.code == 1
    assert f"{more}:3: scenarios.talk.persona: " in alone.err
    both = await command("load", str(PACK), str(more), "--data-dir", str(tmp_path), env=env)
    assert (both.code, both.err) == (0, "")
    assert (await command("load", str(more), "--data-dir", str(tmp_path), env=env)).code == 0


async def test_content_of_another_organisation_is_not_taken(env: dict[str, str], tmp_path: Path) -> None:
    await command("load", str(PACK), "--org", "acme", "--data-dir", str(tmp_path), env=env)
    finished = await command("load", str(PACK), "--data-dir", str(tmp_path), env=env)
    assert finished.code == 1
    assert content_id("lesson", "persona", "ada") in finished.err
    assert not await stored(env)


async def test_a_file_that_is_not_there_is_named(env: dict[str, str], tmp_path: Path) -> None:
    finished = await command("load", str(tmp_path / "none.yaml"), env=env)
    assert (finished.code, finished.out) == (1, "")
    assert f"cannot read {tmp_path / 'none.yaml'}" in finished.err
