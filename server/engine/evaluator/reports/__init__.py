"""Reports of results: a page and JUnit XML (evaluators §4)."""
