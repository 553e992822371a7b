"""Metadata reads the same wherever a model or a search is given it."""

from schemas.envelope import utc_now
from schemas.pipeline import PipelineDocument
from server.engine.ids import new
from server.engine.playground.describing import NAMES, name_of
from server.engine.playground.indexing.cutting import about
from server.engine.playground.retrieval.nodes import for_model
from server.engine.playground.retrieval.shelf import called, text_of

METADATA = {"title": "Größe", "draft": True, "tags": ["a", 1], "none": None, "secret": 7}
LINES = 'title: Größe\ndraft: true\ntags: ["a",1]\nnone: null'


def document(metadata: dict[str, object], *hidden: str) -> PipelineDocument:
    return PipelineDocument(
        key=new(),
        id=new(),
        pipeline_id=new(),
        org="default",
        metadata=metadata,
        excluded_llm_metadata_keys=list(hidden),
        created_at=utc_now(),
        updated_at=utc_now(),
    )


def test_values_are_written_in_one_way() -> None:
    one = document(METADATA, "secret")
    assert for_model("Text.", one) == f"{LINES}\n\nText."
    assert text_of(one) == LINES
    assert about(METADATA, excluded=frozenset({"secret"})) == LINES
    assert for_model("Text.", document({})) == "Text."


def test_the_same_keys_name_a_document_everywhere() -> None:
    for key in NAMES:
        assert called(document({**dict.fromkeys(NAMES, " "), key: "Atlas"})) == "Atlas"
    assert name_of({"source": "b", "title": "a", "name": 5}) == "a"
    assert called(document({"source": "b"})) == "b"
    assert (name_of({"other": "x"}), called(document({"other": "x"}))) == (None, "")
