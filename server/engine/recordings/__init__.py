"""Recorded conversations of elsewhere: read from files, made from graded chats, added to benchmarks."""
