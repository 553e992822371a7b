"""Numbered room logs: publishing, following, snapshots (core.md)."""
