"""Watching: what is replayed to those who come later, and what operators see."""
