"""Callers: played by a model or by rules (evaluators §3)."""
