"""Reports: what they share, whatever they tell of – pages, tables, rows and XML that mislead nobody."""
