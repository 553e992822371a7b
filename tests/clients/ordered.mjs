// Read numbered text, bytes and acks; where it is asked for, start the upgrade in the middle of the stream, which
// goes on until the upgrade is done.
import { io } from "socket.io-client";

import { given, report } from "./client.mjs";

const sizes = given.sizes;
const numbers = [];
const wrong = [];
let opened;
let begun = false; // the upgrade
const socket = io(given.url, {
  transports: given.transports,
  upgrade: given.transports.length > 1 && given.upgrade_after === 0,
  reconnection: false,
});

/** Say what is wrong with the bytes of a numbered event, if anything is. */
function check(number, parts) {
  const expected = Array.from({ length: (number % 3) + 1 }, (_, part) =>
    Buffer.alloc(sizes[(number + part) % sizes.length], number % 256),
  );
  if (parts.length !== expected.length) wrong.push(number);
  else if (!parts.every((part, at) => Buffer.compare(Buffer.from(part), expected[at]) === 0)) wrong.push(number);
}

/** Note a number, ask for an acknowledgement now and then, and start the upgrade when it is time. */
function note(number) {
  numbers.push(number);
  if (numbers.length % 5 === 0) socket.emit("ask", (answer) => numbers.push(answer));
  if (begun || given.upgrade_after === 0 || numbers.length < given.upgrade_after) return;
  begun = true;
  socket.io.engine._probe("websocket");
}

socket.on("connect", () => {
  opened = socket.io.engine.transport.name;
  socket.emit("flow", given.count);
});
socket.on("text", note);
socket.on("bytes", (number, ...parts) => {
  check(number, parts);
  note(number);
});
socket.on("done", (number) => {
  numbers.push(number);
  if (socket.io.engine.transport.name !== given.transports.at(-1)) socket.emit("flow", given.count); // not upgraded
  else report({ numbers, wrong, opened, closed: socket.io.engine.transport.name });
});
socket.on("disconnect", (reason) => report({ numbers, wrong, opened, reason }));
