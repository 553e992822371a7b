"""Plugins: manifests and OpenAPI documents, fetched and read into operations that models may choose."""
