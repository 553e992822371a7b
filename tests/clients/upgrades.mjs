// Join a running reply again and again, so that each connection upgrades in the middle of the stream.
import { connect, given, report } from "./client.mjs";

const lives = [];
let after = given.after;
let over = false;
while (!over) {
  const { socket, seen, call, until, transport } = connect();
  await until("connection_confirmed");
  const opened = transport();
  const join = await call("attempt_join", { chat_id: given.chat_id, after, epoch: given.epoch });
  const upgraded = new Promise((resolve) => {
    if (transport() === "websocket") resolve();
    else socket.io.engine.once("upgrade", resolve);
  });
  await upgraded;
  const before = seen.length;
  await until("attempt_progress", {}, seen.filter((e) => e.name === "attempt_progress").length + 3).catch(
    () => {},
  );
  socket.disconnect();
  const entries = seen.filter((e) => e.data.room === given.room);
  if (entries.length > 0) after = entries.at(-1).data.offset;
  over = lives.length >= given.lives || seen.some((e) => e.name === "attempt_assistant_complete");
  lives.push({ opened, join, seen, before_upgrade: before });
}
report({ lives });
