"""`convert-bfcl`: a category of the Berkeley Function Calling Leaderboard into a batch job."""

from pathlib import Path
from typing import Annotated

import typer

from server.cli.failure import Failure
from server.engine.batch.bfcl import convert, read_questions

LICENCE = "LICENSE"
SOURCES = """\
# Where these files come from

`job.json` and the documents below `mirror` were made by `greenroom convert-bfcl` of {prompts} and
{answers}. Those belong to the Berkeley Function Calling Leaderboard
(https://github.com/ShishirPatil/gorilla) and are published under the licence beside this file{licence}.

What was changed: every prompt became an OpenAPI document with an operation for each function, and a test
case; types have the names of JSON Schema; the keyword `optional` was dropped. Names, descriptions, prompts
and accepted answers are word for word those of the leaderboard.
"""

Prompts = Annotated[Path, typer.Argument(help="The category's prompts, such as BFCL_v4_multiple.json.")]
Answers = Annotated[Path, typer.Argument(help="Its accepted answers, the file of the same name elsewhere.")]
Into = Annotated[Path, typer.Argument(help="Where to write job.json and the mirror of its documents.")]


def convert_bfcl(prompts: Prompts, answers: Answers, directory: Into) -> None:
    """Make a batch job of a category of the Berkeley Function Calling Leaderboard.

    Only categories whose answers are one call. Files of the same names are replaced; a LICENSE beside the
    prompts is copied.
    """
    questions = read_questions(_read(prompts), _read(answers))
    files = convert(questions, name=prompts.stem)
    licence = prompts.with_name(LICENCE)
    if licence.is_file():
        files[LICENCE] = _read(licence)
    else:
        print(f"there is no {LICENCE} beside {prompts.name}: add it to what you pass on")
    files["SOURCES.md"] = _sources(prompts, answers, with_licence=LICENCE in files).encode()
    for name, content in files.items():
        _write(directory / name, content)
    print(
        f"{len(questions)} cases in {directory / 'job.json'}; their documents are in {directory / 'mirror'}"
    )


def _sources(prompts: Path, answers: Path, *, with_licence: bool) -> str:
    missing = "" if with_licence else ", which was missing when they were converted"
    return SOURCES.format(prompts=f"`{prompts.name}`", answers=f"`{answers.name}`", licence=missing)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}", code=1) from error


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}", code=1) from error
