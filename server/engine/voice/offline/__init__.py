"""Voice without any other service: a detector, Whisper and Piper, on this machine's processor."""
