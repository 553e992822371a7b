"""A real nginx with the documented configuration in front of servers, as if each had a host of its own."""

import asyncio
import shutil
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from server.embedded.child import start_child, stop_child
from server.embedded.sharing import answers
from tests.support.process import free_port

DOCUMENTED = Path(__file__).parents[2] / "docs" / "nginx.conf"
HOSTS = ("10.0.0.1:8080", "10.0.0.2:8080")
UNPACKED = Path(sys.prefix) / "nginx" / "usr" / "sbin"
WITHIN = 20.0
MAIN = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log info;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/greenroom.conf;
}}
"""


def find_nginx() -> str | None:
    """Return nginx, installed or unpacked for the tests, or None."""
    return shutil.which("nginx") or shutil.which("nginx", path=f"/usr/sbin:/usr/local/sbin:{UNPACKED}")


@asynccontextmanager
async def nginx(ports: Sequence[int], folder: Path) -> AsyncIterator[str]:
    """Run nginx in front of two servers and yield its address."""
    binary = find_nginx()
    assert binary is not None
    port = free_port()
    text = _documented(ports, port)
    process = await _start(binary, text, folder)
    try:
        async with asyncio.timeout(WITHIN):
            while not await answers(port):
                assert process.returncode is None, _told(folder)
                await asyncio.sleep(0)
        yield f"http://127.0.0.1:{port}"
    finally:
        await stop_child(process)


async def _start(binary: str, text: str, folder: Path) -> Process:
    config = folder / "nginx.conf"
    config.write_text(MAIN.format(folder=folder))
    (folder / "greenroom.conf").write_text(text)
    with (folder / "nginx.out").open("wb") as output:
        command = [binary, "-p", str(folder), "-e", str(folder / "nginx.log"), "-c", str(config)]
        return await start_child(command, stdout=output, stderr=output)


def _documented(ports: Sequence[int], port: int) -> str:
    text = DOCUMENTED.read_text().replace("listen 80;", f"listen 127.0.0.1:{port};")
    for host, own in zip(HOSTS, ports, strict=True):
        assert host in text
        text = text.replace(host, f"127.0.0.1:{own}")
    return text


def _told(folder: Path) -> str:
    return (folder / "nginx.out").read_text() + (folder / "nginx.log").read_text()
