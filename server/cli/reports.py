"""Writes the reports that a server makes to files."""

from collections.abc import Sequence
from pathlib import Path

import aiohttp
import orjson

from schemas.envelope import JsonObject
from server.cli.failure import Failure

JUNIT, JSON = ".xml", ".json"


def check_reports(files: Sequence[Path], *, formats: Sequence[str]) -> None:
    """See that reports can be written as their names say; raises Failure."""
    for file in files:
        if file.suffix not in formats:
            raise Failure(f"--report {file}: the name must end in {', '.join(formats)}")
        if not file.absolute().parent.is_dir():
            raise Failure(f"--report {file}: there is no directory {file.parent}")


async def write_reports(
    http: aiohttp.ClientSession, files: Sequence[Path], *, of: str, data: JsonObject
) -> None:
    """Write a report into each file, in the format that its name ends in; raises Failure.

    `of` is the address of what is reported, and `data` what a report as JSON holds.
    """
    for file in files:
        kind = "junit.xml" if file.suffix == JUNIT else file.suffix.removeprefix(".")
        try:
            if file.suffix == JSON:
                file.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")
            else:
                await _fetch(http, f"{of}/report.{kind}", file)
        except OSError as error:
            raise Failure(f"cannot write {file}: {error.strerror}") from error


async def _fetch(http: aiohttp.ClientSession, path: str, file: Path) -> None:
    try:
        async with http.get(path) as response:
            response.raise_for_status()
            with file.open("wb") as out:
                async for part in response.content.iter_chunked(64 * 1024):
                    out.write(part)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Failure(f"the server did not give the report for {file}; ask it again for {path}") from error
