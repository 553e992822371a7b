"""The published client of such servers: pipelines, documents, retrieval, sessions and chat."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import llama_cloud
import orjson
import pytest
from llama_cloud.client import LlamaCloud
from llama_cloud.core.api_error import ApiError
from llama_cloud.errors.unprocessable_entity_error import UnprocessableEntityError

from server.engine.ids import new
from tests.playground.chats import DOCUMENTS
from tests.support.passing import passes
from tests.support.running import Server

TRIES = 200


class Client:
    """The client of one person; each call runs in a thread, because it blocks."""

    def __init__(self, server: Server, *, role: Any = "author", token: str | None = None) -> None:
        self.profile = new()
        made = token or server.token(self.profile, role=role)
        self._client = LlamaCloud(base_url=server.url, token=made)

    def close(self) -> None:
        """Close the connections of the client, which has no word for it."""
        self._client._client_wrapper.httpx_client.close()

    async def call(self, method: str, /, *args: Any, **options: Any) -> Any:
        """Call a method of the client's pipelines."""
        return await asyncio.to_thread(getattr(self._client.pipelines, method), *args, **options)

    async def until_indexed(self, pipeline_id: str) -> Any:
        """Ask for the status, as clients do, until there is nothing to index any more."""
        for _ in range(TRIES):
            found = await self.call("get_pipeline_status", pipeline_id)
            if found.status.value not in ("NOT_STARTED", "IN_PROGRESS"):
                return found
            await passes(0.05, because="clients of this kind are told nothing: they ask again")
        raise AssertionError(found)

    async def library(self) -> Any:
        """Create a pipeline with the tests' documents, and return it once they are found."""
        made = await self.call("upsert_pipeline", request=pipeline("Library"))
        request = [llama_cloud.CloudDocumentCreate(**document) for document in DOCUMENTS]
        await self.call("upsert_batch_pipeline_documents", made.id, request=request)
        assert (await self.until_indexed(made.id)).status.value == "SUCCESS"
        return made


Connect = Callable[..., Client]


@pytest.fixture
def connect(server: Server) -> Iterator[Connect]:
    """Give a test clients that are closed when it ends."""
    opened: list[Client] = []

    def open_(**options: Any) -> Client:
        opened.append(Client(server, **options))
        return opened[-1]

    yield open_
    for client in opened:
        client.close()


async def test_pipelines_are_made_found_changed_and_removed(connect: Connect) -> None:
    client = connect()
    made = await client.call("upsert_pipeline", request=pipeline("Library"))
    assert (made.name, made.embedding_config.type, made.transform_config.mode) == (
        "Library", "OPENAI_EMBEDDING", "auto",
    )  # fmt: skip
    assert (await client.call("upsert_pipeline", request=pipeline("Library"))).id == made.id
    created = await client.call("create_pipeline", request=pipeline("Second"))
    assert created.id != made.id
    found = await client.call("search_pipelines", pipeline_name="Library", project_id=made.project_id)
    assert [one.id for one in found] == [made.id]
    managed = await client.call("search_pipelines", pipeline_type="MANAGED")
    assert {one.id for one in managed} == {made.id, created.id}
    preset = llama_cloud.PresetRetrievalParams(
        alpha=0.4, dense_similarity_top_k=5, search_filters=filters(("year", ">=", 2023))
    )
    changed = await client.call(
        "update_existing_pipeline", made.id, name="Shelves", preset_retrieval_parameters=preset
    )
    assert (changed.name, changed.preset_retrieval_parameters.alpha) == ("Shelves", 0.4)
    kept = (await client.call("get_pipeline", made.id)).preset_retrieval_parameters
    assert kept.search_filters.filters[0].operator.value == ">="
    await client.call("delete_pipeline", made.id)
    with pytest.raises(ApiError) as gone:
        await client.call("get_pipeline", made.id)
    assert gone.value.status_code == 404


async def test_documents_are_put_read_and_removed(connect: Connect) -> None:
    client = connect()
    library = await client.library()
    listed = await client.call("list_pipeline_documents", library.id, skip=0, limit=10)
    assert {one.id: one.metadata for one in listed} == {d["id"]: d["metadata"] for d in DOCUMENTS}
    one = await client.call("get_pipeline_document", "cats", library.id)
    assert one.text == DOCUMENTS[1]["text"]
    status = await client.call("get_pipeline_document_status", "cats", library.id)
    assert status.status.value == "SUCCESS"
    (chunk,) = await client.call("list_pipeline_document_chunks", "cats", library.id)
    assert chunk.text == DOCUMENTS[1]["text"]
    added = await client.call(
        "create_batch_pipeline_documents",
        library.id,
        request=[llama_cloud.CloudDocumentCreate(text="Dogs may.", metadata={})],
    )
    assert added[0].id not in {d["id"] for d in DOCUMENTS}
    await client.call("delete_pipeline_document", "cats", library.id)
    with pytest.raises(ApiError) as gone:
        await client.call("get_pipeline_document", "cats", library.id)
    assert gone.value.status_code == 404


async def test_retrieval_finds_nodes_with_scores_and_their_document(connect: Connect) -> None:
    client = connect()
    library = await client.library()
    found = await client.call("run_search", library.id, query="When does the library open?")
    best = found.retrieval_nodes[0]
    assert best.node.text == DOCUMENTS[0]["text"]
    assert best.node.extra_info["file_name"] == "hours.md"
    assert 0 <= best.score <= 1
    assert (found.pipeline_id, found.metadata["mode"]) == (library.id, "chunks")
    assert all(seconds >= 0 for seconds in found.retrieval_latency.values())
    only = await client.call(
        "run_search",
        library.id,
        query="When does the library open?",
        search_filters=filters(("year", "in", ["2023"])),
        retrieval_mode=llama_cloud.RetrievalMode.FILES_VIA_CONTENT,
        files_top_k=5,
    )
    assert [node.node.extra_info["year"] for node in only.retrieval_nodes] == [2023]


async def test_a_session_is_read_chatted_in_and_read_again(server: Server, connect: Connect) -> None:
    await server.script({"reply": "At nine."})
    client = connect()
    library = await client.library()
    session = await client.call("get_playground_session", library.id)
    assert (session.user_id, session.pipeline_id) == (client.profile, library.id)
    assert session.llm_params.model_name is llama_cloud.SupportedLlmModelNames.GPT_4_O_MINI
    data = llama_cloud.ChatData(
        llm_parameters=session.llm_params.copy(update={"temperature": 0.0, "system_prompt": "Be brief."}),
        retrieval_parameters=session.retrieval_params.copy(
            update={"alpha": 0.5, "search_filters": filters(("year", "==", 2024))}
        ),
    )
    question = llama_cloud.InputMessage(
        id=new(), role=llama_cloud.MessageRole.USER, content="When does it open?"
    )
    answer = await client.call("chat", library.id, messages=[question], data=data)
    assert answer["message"]["content"] == "At nine."
    again = await client.call("get_playground_session", library.id)
    assert again.id == session.id
    assert [(m.index, m.role.value, m.content) for m in again.chat_messages] == [
        (0, "user", "When does it open?"),
        (1, "assistant", "At nine."),
    ]
    assert again.chat_messages[0].id == question.id
    notes = {note.type: orjson.loads(note.data) for note in again.chat_messages[1].annotations}
    assert [source["document_id"] for source in notes["sources"]] == ["opening"]
    assert (again.llm_params.temperature, again.retrieval_params.alpha) == (0.0, 0.5)
    assert again.retrieval_params.search_filters.filters[0].value == 2024


async def test_what_goes_wrong_is_raised_as_the_client_knows_it(connect: Connect) -> None:
    client = connect()
    with pytest.raises(UnprocessableEntityError) as wrong:
        await client.call("get_playground_session", "not-a-uuid")
    assert wrong.value.body.detail[0].loc == ["path", "pipeline_id"]
    library = await client.call("upsert_pipeline", request=pipeline("Library"))
    bad: list[Callable[[], Any]] = [
        lambda: client.call("run_search", library.id, query="x", alpha=2.0),
        lambda: client.call("chat", library.id, messages=[]),
        lambda: client.call("create_pipeline", request=pipeline("")),
    ]
    for call in bad:
        with pytest.raises(UnprocessableEntityError) as wrong:
            await call()
        assert wrong.value.body.detail[0].msg
    for other, status in ((connect(role="learner"), 404), (connect(token="nonsense"), 401)):
        with pytest.raises(ApiError) as refused:
            await other.call("get_playground_session", library.id)
        assert refused.value.status_code == status


def pipeline(name: str) -> Any:
    """Return a new pipeline as clients send it."""
    return llama_cloud.PipelineCreate(
        name=name,
        embedding_config=llama_cloud.PipelineCreateEmbeddingConfig_OpenaiEmbedding(type="OPENAI_EMBEDDING"),
        transform_config=llama_cloud.AutoTransformConfig(chunk_size=256, chunk_overlap=32),
    )


def filters(*conditions: tuple[str, str, Any]) -> Any:
    """Return conditions that all hold, as the client's own objects."""
    return llama_cloud.MetadataFilters(
        filters=[
            llama_cloud.MetadataFilter(key=key, operator=llama_cloud.FilterOperator(operator), value=value)
            for key, operator, value in conditions
        ],
        condition=llama_cloud.FilterCondition.AND,
    )
