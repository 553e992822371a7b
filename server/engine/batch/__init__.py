"""Batch jobs: tool-using models swept over plugins, prompts and languages."""
