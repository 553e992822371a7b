"""`convert-bfcl`, as a process."""

from pathlib import Path

from tests.cli.programs import ROOT, command

SOURCE = ROOT / "tests" / "data" / "bfcl"
SHIPPED = ROOT / "content" / "batch" / "bfcl"
PROMPTS = str(SOURCE / "BFCL_v4_multiple.json")
ANSWERS = str(SOURCE / "possible_answer__BFCL_v4_multiple.json")


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def first_line(file: str) -> str:
    return Path(file).read_text().split("\n")[0]


async def test_it_writes_what_is_shipped(tmp_path: Path) -> None:
    done = await command("convert-bfcl", PROMPTS, ANSWERS, str(tmp_path / "new"))
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("200 cases in ")
    assert tree(tmp_path / "new") == tree(SHIPPED)


async def test_a_missing_licence_is_told(tmp_path: Path) -> None:
    prompts, answers = tmp_path / "p.json", tmp_path / "a.json"
    prompts.write_text(first_line(PROMPTS))
    answers.write_text(first_line(ANSWERS))
    done = await command("convert-bfcl", str(prompts), str(answers), str(tmp_path / "new"))
    assert done.code == 0
    assert "there is no LICENSE beside p.json" in done.out
    assert "which was missing" in (tmp_path / "new" / "SOURCES.md").read_text()
    assert not (tmp_path / "new" / "LICENSE").exists()


async def test_what_cannot_be_read_or_used_is_told_in_a_line_and_nothing_is_written(tmp_path: Path) -> None:
    missing = await command("convert-bfcl", str(tmp_path / "none.json"), ANSWERS, str(tmp_path / "new"))
    assert missing.code == 1
    assert "none.json: No such file" in missing.err
    swapped = await command("convert-bfcl", ANSWERS, PROMPTS, str(tmp_path / "new"))
    assert swapped.code == 2
    assert swapped.err.startswith("greenroom: Line 1 of the answers cannot be used")
    assert not (tmp_path / "new").exists()
