// Connect again and again; tell over which transport each connection went in the end, and what failed.
import { connect, given, report } from "./client.mjs";

const lives = [];
for (let n = 0; n < given.times; n += 1) {
  const { socket, call, until, transport } = connect();
  const errors = [];
  const closed = [];
  socket.on("connect_error", (error) => errors.push(error.message));
  socket.on("disconnect", (reason) => closed.push(reason));
  const engine = socket.io.engine;
  const upgraded = new Promise((resolve) => engine.once("upgrade", resolve));
  const confirmed = await until("connection_confirmed");
  if (given.transports[0] !== given.transports.at(-1)) await upgraded;
  const left = await call("room_leave", { room: `profile_${confirmed.profile_id}` });
  lives.push({ sid: engine.id, transport: transport(), left, errors, closed });
  socket.off("disconnect");
  socket.disconnect();
}
report({ lives });
