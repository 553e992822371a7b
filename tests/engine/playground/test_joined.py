"""The text of a file, put together out of its chunks."""

from itertools import pairwise

from schemas.pipeline import Chunk, TransformConfig
from server.engine.ids import new
from server.engine.playground.indexing.cutting import cut
from server.engine.playground.retrieval.modes import joined

TEXT = "\n\n".join(f"Paragraph {n} tells of a ship. It came at dawn, and left again." for n in range(60))


def cut_out(*cuts: tuple[int, int]) -> list[Chunk]:
    return [
        Chunk(
            id=new(),
            pipeline_id=new(),
            document_key=new(),
            document_id="d",
            revision=1,
            number=number,
            text=TEXT[start:end],
            start=start,
            end=end,
            embedder="none",
            vector=b"",
        )
        for number, (start, end) in enumerate(cuts)
    ]


def test_what_overlaps_is_there_once() -> None:
    cuts = cut(TEXT, TransformConfig(chunk_size=64, chunk_overlap=30), markdown=False)
    assert any(after[0] < before[1] for before, after in pairwise(cuts))
    assert joined(cut_out(*cuts)) == TEXT
    assert joined(cut_out()) == ""
    assert joined(cut_out((0, 9), (3, 6), (5, 12))) == TEXT[:12]


def test_lines_end_where_white_space_was_left_out() -> None:
    cuts = cut(TEXT, TransformConfig(chunk_size=32, chunk_overlap=0), markdown=False)
    assert any(after[0] > before[1] for before, after in pairwise(cuts))
    whole = joined(cut_out(*cuts))
    assert (whole.split(), len(whole)) == (TEXT.split(), len(TEXT))
