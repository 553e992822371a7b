"""Jobs of tests: what ran, what is running, and jobs that wait to be let go."""

import argparse
import asyncio
import os

from server.jobs import Jobs


class Work:
    """Counts what ran; a job waits while its key is held."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.cancelled: list[str] = []
        self.at_once = 0
        self.most = 0
        self._held: dict[str, asyncio.Event] = {}
        self._changed = asyncio.Condition()

    def hold(self, *keys: str) -> None:
        """Have jobs of these keys wait."""
        for key in keys:
            self._held[key] = asyncio.Event()

    def release(self, *keys: str) -> None:
        """Let jobs of these keys end."""
        for key in keys:
            self._held[key].set()

    async def __call__(self, key: str) -> None:
        """Do a job."""
        self.ran.append(key)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await self._note()
        try:
            if key in self._held:
                await self._held[key].wait()
        except asyncio.CancelledError:
            self.cancelled.append(key)
            raise
        finally:
            self.at_once -= 1
            await self._note()

    async def until(self, count: int, *, within: float = 28) -> None:
        """Wait until so many jobs have begun."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(lambda: len(self.ran) >= count)

    async def until_idle(self) -> None:
        """Wait until no job runs."""
        async with asyncio.timeout(60), self._changed:
            await self._changed.wait_for(lambda: self.at_once == 0)

    async def _note(self) -> None:
        async with self._changed:
            self._changed.notify_all()


async def _worker(url: str, name: str) -> None:
    """Run jobs that never end, and print the key of each; ready when the first line is printed."""
    jobs = Jobs(url=url, name=name, slots=1, redelivery_seconds=2)

    async def work(key: str) -> None:
        print(key, os.getpid(), flush=True)
        await asyncio.Event().wait()

    jobs.handle("run", work)
    await jobs.run()


def main() -> None:
    """Run `python -m tests.support.jobs URL NAME`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("name")
    options = parser.parse_args()
    asyncio.run(_worker(options.url, options.name))


if __name__ == "__main__":
    main()
