// What a client with a bad token is told.
import { connect, report } from "./client.mjs";

const { socket } = connect();
socket.on("connect_error", (error) =>
  report({ message: error.message, data: error.data ?? null, connected: socket.connected }),
);
