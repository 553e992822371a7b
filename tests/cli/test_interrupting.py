"""Ctrl-C while a command is still loading what it is made of."""

import signal

import pytest

from tests.cli.programs import program


@pytest.mark.parametrize("loaded", ["typer", "pydantic_core"])
async def test_ctrl_c_while_a_command_loads_leaves_no_traceback(loaded: str) -> None:
    async with program("evaluate", "--help", env={"PYTHONPROFILEIMPORTTIME": "1"}) as running:
        await running.told(loaded)
        finished = await running.finish(signal.SIGINT)
    assert finished.code == 130
    assert (finished.out, "Traceback" in finished.err) == ("", False)
