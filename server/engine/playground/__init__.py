"""A grounded chat over pipelines of documents."""
