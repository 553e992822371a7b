"""What tests drive the real server with."""
