"""Voice: speech becomes turns of a chat, and replies are spoken (socket-v5 §8)."""
