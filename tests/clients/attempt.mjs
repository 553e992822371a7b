// A whole attempt, from start to grade.
import { connect, given, report } from "./client.mjs";

const { socket, seen, call, until, transport } = connect();
const confirmed = await until("connection_confirmed");
const opened = transport();
const start = await call("attempt_start", { practice_id: given.practice_id });
const chat = { attempt_id: start.attempt_id, chat_id: start.chat_id };
const message = await call("attempt_message", { ...chat, message: "What is a loop? Ünïcödé ✓" });
await until("attempt_assistant_complete", { chat_id: chat.chat_id });
const stop = await call("attempt_stop", { chat_id: chat.chat_id });
const wrong = await call("attempt_message", { ...chat, message: 7 });
const unknown = await call("attempt_sing", {});
const path = await call("attempt/leave", { chat_id: chat.chat_id });
const join = await call("attempt_join", { chat_id: chat.chat_id, after: 0 });
await until("attempt_joined");
const end = await call("attempt_end", chat);
await until("attempt_graded", { chat_id: chat.chat_id });
await until("attempt_ended", { attempt_id: chat.attempt_id });
const closed = transport();
socket.disconnect();
report({ confirmed, opened, closed, start, message, stop, wrong, unknown, path, join, end, seen });
