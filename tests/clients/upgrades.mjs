// Follow a running reply, each time first by polling; the upgrade is started in the middle of the stream.
import { connect, given, report } from "./client.mjs";

const lives = [];
let after = given.after;
let over = false;
while (!over) {
  const { socket, seen, call, until, transport } = connect({ upgrade: false });
  const progress = () => seen.filter((e) => e.name === "attempt_progress").length;
  const join = await call("attempt_join", { chat_id: given.chat_id, after, epoch: given.epoch });
  await until("attempt_progress");
  const opened = transport();
  const engine = socket.io.engine;
  const upgraded = new Promise((resolve) => engine.once("upgrade", resolve));
  engine._probe("websocket"); // what the client does by itself right after it has opened
  await upgraded;
  await until("attempt_progress", {}, progress() + 3);
  socket.disconnect();
  after = seen.filter((e) => e.data.room === given.room).at(-1).data.offset;
  lives.push({ opened, closed: engine.transport.name, join, seen });
  over = lives.length >= given.lives;
}
report({ lives });
