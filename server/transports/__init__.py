"""How clients reach the dispatcher: Socket.IO, HTTP and streams."""
