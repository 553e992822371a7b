"""The domain: conversations, attempts, grading, and who may do what."""
