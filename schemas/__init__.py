"""The wire and the stored documents: pydantic models only."""
