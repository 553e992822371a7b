"""The lines to somebody's agent: dialling, frames, and what is heard (evaluators §2)."""
