"""What is thought of a run: outcomes, metrics, and whose mistake it was (evaluators §3)."""
