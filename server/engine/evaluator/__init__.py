"""Evaluators: scenarios played against somebody's agent, and judged (evaluators §1–§6)."""
