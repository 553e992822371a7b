"""One run of a job: a prompt in a language, given to a model in one way, and what that is worth."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from schemas.batch import BatchRequest, BatchResult, Permutation, RunError, TestCase
from schemas.envelope import Id
from server.engine.batch.call_cache import OnceCache
from server.engine.batch.calls import Calls, Spent
from server.engine.batch.hiding import Hiding
from server.engine.batch.plugins.fetching import Fetcher
from server.engine.batch.plugins.loading import PluginLoader
from server.engine.batch.scoring import score
from server.engine.batch.sealing import Keys
from server.engine.batch.selectors import selector
from server.engine.batch.selectors.selection import ApiCall, Group, Selected, Selection
from server.engine.batch.shelf import unusable
from server.engine.batch.translating import Translations, Translator
from server.errors import GreenroomError, Internal, Unavailable
from server.llm.completions import Completion, CompletionAsk, Completions

log = structlog.get_logger(__name__)
GROUP_BYTES = 16 * 1024 * 1024  # groups, and what selectors make of them; the loader keeps the plugins
OPERATION_BYTES = 1_000  # as a tool
MakeEvaluation = Callable[[BatchRequest, Id, Keys], "Evaluation"]


@dataclass(slots=True)
class Run:
    """One run, and how far it is; `prompt` is the translated one once there is one."""

    number: int
    permutation: Permutation
    case: TestCase
    language: str
    prompt: str
    seconds: float = 0.0
    spent: Spent = field(default_factory=Spent)


class Evaluation:
    """Does the runs of one job, any of them at any time, and as many at once as its caller likes.

    What is equal in runs is shared: plugins, translations, model calls. Memory does not grow with the runs.
    """

    def __init__(
        self,
        request: BatchRequest,
        *,
        job_id: Id,
        loader: PluginLoader,
        completions: Completions,
        fetcher: Fetcher,
        translations: Translations,
        keys: Keys,
    ) -> None:
        config = request.config
        self._request = request
        self._job_id = job_id
        self._languages = [language or config.source_language for language in request.languages]
        self._urls = {
            group.name: tuple(plugin.manifest_url for plugin in group.plugins)
            for group in request.plugin_groups
        }
        self._loader = loader
        self._groups = OnceCache[Group](most=GROUP_BYTES, size=_size_of)
        key = keys.openai_api_key.get_secret_value() if keys.openai_api_key else None
        self._calls = Calls(
            completions,
            concurrency=min(config.concurrency, completions.at_once(key) or config.concurrency),
            cache=config.cache,
            api_key=key,
        )
        self._hiding = Hiding(keys)
        self._translator = Translator(
            request, job_id=job_id, calls=self._calls, translations=translations, hiding=self._hiding
        )
        self._fetcher = fetcher

    async def run(self, number: int) -> BatchResult:
        """Return what a run came to, with the index -1; whatever goes wrong is told by the result.

        Raises Unavailable only, while the database is away: the run can be done again. Cancelling is safe.
        """
        run = self._run(number)
        try:
            run.prompt = await self._translator.translate(run.prompt, language=run.language, spent=run.spent)
            selected = await self._selected(run)
            return self._result(run, self._worth(run, selected))
        except Unavailable:
            raise
        except GreenroomError as error:
            failed = RunError(code=error.code, message=error.message)
        except Exception:  # a bug of ours: the other runs go on
            log.exception("batch run broke", job_id=self._job_id, run=number)
            failed = RunError(code=Internal.code, message=Internal().message)
        return self._result(run, unusable(failed))

    def _run(self, number: int) -> Run:
        permutation, case, language = self._request.run_at(number)
        test = self._request.test_cases[case]
        return Run(
            number, self._request.permutations[permutation], test, self._languages[language], test.prompt
        )

    # --- selecting ------------------------------------------------------------------------------------------

    async def _selected(self, run: Run) -> Selected:
        chosen = run.permutation.tool_selector
        selection = Selection(
            prompt=run.prompt,
            case_type=run.case.type,
            plugins=await self._plugins(run.case.plugin_group_name or chosen.plugin_group_name),
            llm=run.permutation.llm,
            request=self._called if self._request.config.allow_api_calls else None,
        )

        async def complete(ask: CompletionAsk) -> Completion:
            retries = selection.llm.max_retries
            answer = await self._calls.complete(ask, max_retries=retries, spent=run.spent)
            run.spent.add(answer)
            return answer.completion

        started = time.perf_counter()
        try:
            return await selector(chosen.provider, chosen.pipeline_name)(selection, complete)
        finally:
            run.seconds = max(0.0, time.perf_counter() - started - run.spent.waited)

    async def _plugins(self, name: str) -> Group:
        group, _ = await self._groups.get(name.encode(), lambda: self._group(self._urls[name]))
        return group

    async def _group(self, urls: tuple[str, ...]) -> Group:
        return Group(await self._loader.group(urls))

    async def _called(self, call: ApiCall) -> str:
        """Make an API call of a model, without any key; a failure is an answer like others."""
        try:
            return await self._fetcher.request(call.method, call.url, body=call.body)
        except GreenroomError as error:
            return error.message

    # --- the result -----------------------------------------------------------------------------------------

    def _worth(self, run: Run, selected: Selected) -> dict[str, Any]:
        plugin = run.case.test_plugin or self._request.test_plugin
        worth = score(
            run.case,
            test_plugin_url=plugin.manifest_url,
            selected=selected,
            match=self._request.config.parameter_match,
        )
        fields = {name: getattr(worth, name) for name in worth.__slots__}
        return fields | {"is_run_completed": True, "final_output": selected.final_output, "error": None}

    def _result(self, run: Run, worth: Mapping[str, Any]) -> BatchResult:
        return BatchResult(
            permutation_name=run.permutation.name,
            permutation_summary=run.permutation.summary,
            test_type=run.case.type,
            test_case_name=run.case.name,
            language=run.language,
            prompt=self._hiding.text(run.prompt),
            response_time_sec=round(run.seconds, 2),
            total_llm_tokens_used=run.spent.tokens,
            llm_api_cost=round(run.spent.cost, 10),
            job_id=self._job_id,
            index=-1,
            source_prompt=run.case.prompt,
            ignored=list(run.spent.ignored),
            cached_calls=run.spent.cached_calls,
            answered_by=run.spent.answered_by,
            **self._hiding.value(dict(worth)),
        )


def evaluations(*, completions: Completions, fetcher: Fetcher, translations: Translations) -> MakeEvaluation:
    """Return what makes the evaluation of a job."""

    def make(request: BatchRequest, job_id: Id, keys: Keys) -> Evaluation:
        return Evaluation(
            request,
            job_id=job_id,
            loader=PluginLoader.for_job(fetcher, request, key=keys.openplugin_api_key),
            completions=completions,
            fetcher=fetcher,
            translations=translations,
            keys=keys,
        )

    return make


def _size_of(group: Group) -> int:
    return sum(8 + OPERATION_BYTES * len(plugin.operations) for plugin in group)
