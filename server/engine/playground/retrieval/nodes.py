"""Passages out of chunks and documents, and what clients read of them."""

from typing import Any

from schemas.envelope import Id, JsonObject
from schemas.pipeline import PipelineDocument
from schemas.retrieval import Found, NodeWithScore, Passage, Retrieved
from server.engine.playground.describing import lines_of
from server.engine.playground.retrieval.fusion import Scored
from server.engine.playground.retrieval.index import Part

SOURCE = "1"  # the name of this relationship in published clients
DOCUMENT = "4"  # that of its type of node
DIGITS = 6


def passage_of(hit: Scored, part: Part, document: PipelineDocument) -> Passage:
    """Return a chunk that was found as a passage of its document."""
    text = part.text.decode()
    return Passage(
        id=hit.id,
        document_id=document.id,
        text=text,
        for_model=for_model(text, document),
        metadata=document.metadata,
        excluded_embed_metadata_keys=document.excluded_embed_metadata_keys,
        excluded_llm_metadata_keys=document.excluded_llm_metadata_keys,
        score=hit.score,
        start=part.start,
        end=part.end,
    )


def for_model(text: str, document: PipelineDocument) -> str:
    """Return a text of a document as a model reads it: after the metadata that it may see."""
    lines = lines_of(document.metadata, hidden=frozenset(document.excluded_llm_metadata_keys))
    return "\n".join(lines) + "\n\n" + text if lines else text


def retrieved(pipeline_id: Id, found: Found, *, images: bool) -> Retrieved:
    """Return what was found as clients read it; whoever asks for images is told that there are none."""
    metadata: dict[str, str] = {"mode": found.mode, "rerank": found.rerank}
    if images:
        metadata["image_nodes"] = "none: images are not indexed"
    if cut := sum(passage.cut for passage in found.passages):
        metadata["files_cut"] = str(cut)
    return Retrieved(
        pipeline_id=pipeline_id,
        retrieval_nodes=[_node(passage) for passage in found.passages],
        retrieval_latency={name: round(seconds, DIGITS) for name, seconds in found.latency.items()},
        metadata=metadata,
    )


def _node(passage: Passage) -> NodeWithScore:
    source: dict[str, Any] = {
        "node_id": passage.document_id,
        "node_type": DOCUMENT,
        "metadata": {},
        "hash": None,
        "class_name": "RelatedNodeInfo",
    }
    node: JsonObject = {
        "id_": passage.id,
        "embedding": None,
        "extra_info": passage.metadata,
        "excluded_embed_metadata_keys": passage.excluded_embed_metadata_keys,
        "excluded_llm_metadata_keys": passage.excluded_llm_metadata_keys,
        "relationships": {SOURCE: source},
        "text": passage.text,
        "mimetype": "text/plain",
        "start_char_idx": passage.start,
        "end_char_idx": passage.end,
        "text_template": "{metadata_str}\n\n{content}",
        "metadata_template": "{key}: {value}",
        "metadata_seperator": "\n",
        "class_name": "TextNode",
    }
    return NodeWithScore(node=node, score=passage.score)
