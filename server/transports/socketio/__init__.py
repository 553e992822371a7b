"""Socket.IO over a hardened python-socketio: one writer per connection, no task while idle."""
