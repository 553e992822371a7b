"""The half of an index that goes by words: BM25 over tantivy, in memory."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import tantivy

# The least that tantivy takes for a thread; a first load is cut into more parts, which are merged.
HEAP_BYTES = 15_000_000
LONGEST_TERM = 100  # bytes; German has long words
DIGITS = 4  # beyond them scores differ by how an index came about
LANGUAGES = ("english", "german")  # stems of both, one after the other, beat either alone and a field each
_TEXT, _NUMBER, _DOCUMENT = "text", "number", "document"


class WordHit(NamedTuple):
    """A chunk by its number, with its BM25 score."""

    number: int
    score: float


class View:
    """What the words of an index were at one time; searching it is safe in any thread."""

    def __init__(self, schema: "tantivy.Schema", searcher: "tantivy.Searcher") -> None:
        self._schema = schema
        self._searcher = searcher

    def search(self, text: str, *, limit: int, documents: Collection[int] | None) -> list[WordHit]:
        """Return chunks that have any of a text's words, best first, of some documents if they are given.

        The text is only taken apart into words: nothing in it is a query language.
        """
        import tantivy

        # Without stop words, which match nearly everything; a text of nothing else is searched as it is.
        terms = dict.fromkeys(analyzer(stopped=LANGUAGES).analyze(text) or analyzer().analyze(text))
        if not terms or (documents is not None and not documents):
            return []
        schema, either, also = self._schema, tantivy.Occur.Should, tantivy.Occur.Must
        query = tantivy.Query.boolean_query(
            [(either, tantivy.Query.term_query(schema, _TEXT, term, "freq")) for term in terms]
        )
        if documents is not None:
            allowed = tantivy.Query.term_set_query(schema, _DOCUMENT, list(documents))
            silent = tantivy.Query.const_score_query(allowed, 0.0)
            query = tantivy.Query.boolean_query([(also, query), (also, silent)])
        hits = self._searcher.search(query, limit, count=False).hits
        numbers = self._searcher.fast_field_values(_NUMBER, [address for _, address in hits])
        return [
            WordHit(int(number or 0), round(score, DIGITS))
            for number, (score, _) in zip(numbers, hits, strict=True)
        ]


class Words:
    """The words of a pipeline's chunks; one thread at a time changes them, views are searched meanwhile."""

    def __init__(self) -> None:
        import tantivy

        self._schema = (
            tantivy.SchemaBuilder()
            .add_text_field(_TEXT, tokenizer_name=_TEXT, index_option="freq")
            .add_unsigned_field(_NUMBER, fast=True)
            .add_unsigned_field(_DOCUMENT, indexed=True)
            .build()
        )
        self._index = tantivy.Index(self._schema)
        self._index.register_tokenizer(_TEXT, analyzer())
        self._index.config_reader("manual")
        self._writer: tantivy.IndexWriter | None = None

    def drop(self, documents: Iterable[int]) -> None:
        """Remove the chunks of documents with the next commit."""
        import tantivy

        if numbers := list(documents):  # by a query: tantivy finds no numbers by their term
            query = tantivy.Query.term_set_query(self._schema, _DOCUMENT, numbers)
            self._write().delete_documents_by_query(query)

    def add(self, text: str, *, number: int, document: int) -> None:
        """Add a chunk with the next commit."""
        import tantivy

        row = tantivy.Document()
        row.add_text(_TEXT, text)
        row.add_unsigned(_NUMBER, number)
        row.add_unsigned(_DOCUMENT, document)
        self._write().add_document(row)

    def commit(self) -> View:
        """Make the changes visible in a new view; the memory for writing is given back."""
        if self._writer is not None:
            self._writer.commit()
            self._writer.wait_merging_threads()
            self._writer = None
            self._index.reload()
        return View(self._schema, self._index.searcher())

    def _write(self) -> "tantivy.IndexWriter":
        if self._writer is None:
            self._writer = self._index.writer(heap_size=HEAP_BYTES, num_threads=1)
        return self._writer


def analyzer(*, stopped: Collection[str] = ()) -> "tantivy.TextAnalyzer":
    """Return what takes texts and queries apart: words in lower case, without accents, by their stems.

    Words of no weight in the languages of `stopped` are left out.
    """
    import tantivy

    builder = (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(LONGEST_TERM))
        .filter(tantivy.Filter.lowercase())
    )
    for language in stopped:
        builder = builder.filter(tantivy.Filter.stopword(language))
    builder = builder.filter(tantivy.Filter.ascii_fold())
    for language in LANGUAGES:
        builder = builder.filter(tantivy.Filter.stemmer(language))
    return builder.build()
