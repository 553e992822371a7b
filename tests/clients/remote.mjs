// One client under remote control: a command a line on standard input, what happens a line on standard output.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const PATIENCE = 20_000;
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
process.on("uncaughtException", (error) => tell({ uncaught: error.message }));
process.on("unhandledRejection", (error) => tell({ uncaught: error.message }));

let socket;

const commands = {
  open({ url, auth, transports, reconnection }) {
    const pace = { reconnectionDelay: 20, reconnectionDelayMax: 100 };
    socket = io(url, { auth, transports, reconnection, ...pace, forceNew: true });
    socket.onAny((name, data, ...extra) => tell({ seen: name, data, extra }));
    socket.on("connect", () => {
      const { id, recovered, _pid: pid } = socket;
      tell({ connected: { id, recovered: Boolean(recovered), pid, engine: socket.io.engine.id } });
    });
    socket.on("disconnect", (reason) => tell({ disconnected: reason }));
    socket.on("connect_error", (error) => tell({ refused: error.message }));
  },
  call: ({ id, name, data }) =>
    socket
      .timeout(PATIENCE)
      .emitWithAck(name, data)
      .then((ack) => tell({ id, ack }))
      .catch((error) => tell({ id, ack: { success: false, error: { message: error.message } } })),
  // what the client would send in its next CONNECT
  kept: ({ id }) => tell({ id, ack: { pid: socket._pid ?? null, offset: socket._lastOffset ?? null } }),
  keep: ({ pid, offset }) => {
    if (pid !== undefined) socket._pid = pid;
    if (offset !== undefined) socket._lastOffset = offset;
  },
  auth: ({ auth }) => (socket.auth = auth),
  connect: () => socket.connect(),
  // a listener of the page with a fault in it: it throws for the content once
  throwFor: ({ name, content }) => {
    let thrown = false;
    socket.on(name, (data) => {
      if (thrown || data.content !== content) return;
      thrown = true;
      throw new Error(`thrown for ${content}`);
    });
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...given } = JSON.parse(line);
  commands[command](given);
}
process.exit(0);
