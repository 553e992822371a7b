"""One run's conversation: its turns, its limits and its transcript (evaluators §2)."""
