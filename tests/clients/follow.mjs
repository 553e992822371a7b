// Follow a running reply; whenever the connection is lost, reconnect and go on from the last offset.
import { connect, given, report } from "./client.mjs";

const { socket, seen, call, until } = connect({
  reconnection: true,
  reconnectionDelay: 10,
  reconnectionDelayMax: 50,
});
const joins = [];
const transports = [];
const reasons = [];
let after = given.after;
let epoch = given.epoch;

socket.onAny((name, data) => {
  if (data.room === given.room && data.offset) after = data.offset;
});
socket.on("disconnect", (reason) => reasons.push(reason));
socket.on("connect", async () => {
  const engine = socket.io.engine;
  const life = { opened: engine.transport.name, upgraded_at: null };
  transports.push(life);
  engine.on("upgrade", () => (life.upgraded_at = after));
  const ack = await call("attempt_join", { chat_id: given.chat_id, after, epoch });
  epoch = ack.epoch;
  joins.push(ack);
});

await until("attempt_assistant_complete", { chat_id: given.chat_id });
socket.off("disconnect");
socket.disconnect();
report({ seen, joins, transports, reasons });
