"""Generates what the flags of a scenario ask for, before its chat begins."""

from collections.abc import Awaitable, Callable, Sequence

from schemas.attempt import Attempt, ChatEntry
from schemas.envelope import Id, utc_now
from schemas.generation import ForChat, Generation, GenerationError
from schemas.stored import Work
from server.engine.attempts.contents import Listener, Needed
from server.engine.drafting.limits import Limits
from server.engine.drafting.plan import Plan, check_create, complete, named
from server.engine.drafting.running import Runner
from server.engine.ids import derive
from server.errors import Unavailable
from server.store import Store


class Preparing:
    """Runs that belong to an attempt; each is counted for its owner's day."""

    def __init__(self, *, store: Store, runner: Runner, limits: Limits, process: str, images: bool) -> None:
        self._store = store
        self._runner = runner
        self._limits = limits
        self._process = process
        self._images = images

    def makeable(self, types: Sequence[str]) -> Needed:
        """Tell what of it can be made here: images need an image model, videos nobody makes."""
        found: list[str] = []
        reasons: list[str] = []
        for kind in types:
            try:
                check_create("chat", kind, images=self._images)
                found.append(kind)
            except Unavailable as error:
                reasons.append(error.message)
        return Needed(types=found, refused=" ".join(reasons) or None)

    async def prepare(self, attempt: Attempt, entry: ChatEntry, types: Sequence[str]) -> Id:
        """Store the run that makes it, once; raises RateLimited or Unavailable."""
        run_id = derive(attempt.id, entry.chat_entry_id, "content", str(entry.tries))
        if await self._store.generations.get(run_id) is not None:
            return run_id
        await self._limits.count(attempt.owner)
        wanted = Plan(artifact="chat", draft=False, save=True, steps=named(types), lookups=[])
        gen = Generation(
            id=run_id,
            owner=attempt.owner,
            org=attempt.org,
            author=False,
            digest="",
            group_id=attempt.id,
            artifact_type="chat",
            draft_id=None,
            steps=complete(wanted, present=("questions", "options")),
            for_chat=ForChat(attempt_id=attempt.id, chat_entry_id=entry.chat_entry_id),
            work=[Work(id=derive(run_id, "work"), kind="generate", owner=self._process)],
            created_at=utc_now(),
        )
        await self._store.generations.create(gen, [])
        return run_id

    async def start(self, run_id: Id) -> None:
        """Start a run whose attempt waits for it; whoever owns it already goes on with it."""
        gen = await self._store.generations.get(run_id)
        if gen is not None:
            self._runner.start(gen)

    def tell(
        self,
        *,
        prepared: Callable[[Generation], Awaitable[None]],
        failed: Callable[[Generation, GenerationError], Awaitable[None]],
    ) -> None:
        """Have these called at the end of such runs; once, before any is started."""
        self._runner.tell(Listener(prepared=prepared, failed=failed))
