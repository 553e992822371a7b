"""The limits of a job's lists that the documentation names are those that hold."""

from schemas.batch import MAX_RUNS, BatchRequest, PluginGroup
from server.engine.batch.batches import MAX_DETAIL_BYTES
from server.engine.batch.checking import MAX_VALUES
from server.engine.batch.shelf import MAX_RESULT
from tests.imports import ROOT

TEXT = (ROOT / "docs" / "batch-jobs.md").read_text()


def limits(schema: type[BatchRequest] | type[PluginGroup], field: str) -> str:
    """Return how many items a list may have."""
    found = schema.model_json_schema()["properties"][field]
    return f"{found['minItems']:,}–{found['maxItems']:,}"


def test_lists_hold_what_is_said() -> None:
    for field in ("plugin_groups", "permutations", "test_cases"):
        assert f"| `{field}` | {limits(BatchRequest, field)} |" in TEXT
    assert f"| `plugin_groups[].plugins` | {limits(PluginGroup, 'plugins')} |" in TEXT
    assert f"A job may have {MAX_RUNS:,} runs, and {MAX_VALUES:,} values" in TEXT


def test_results_are_as_large_as_is_said() -> None:
    assert f"A result has {MAX_RESULT // 1024} KB at most" in TEXT
    assert f"more than {MAX_DETAIL_BYTES // 1024**2} MB in all, only the number" in TEXT
