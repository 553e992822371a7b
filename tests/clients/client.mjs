// What the scripts share: arguments in, a client that records, a report out.
import { io } from "socket.io-client";

export const given = JSON.parse(process.argv[2]);

const PATIENCE = 20_000;

/** Connect and record every event; `call` resolves with the ack, `until` with the payload. */
export function connect(options = {}) {
  const socket = io(given.url, {
    auth: { token: given.token },
    transports: given.transports,
    forceNew: true,
    reconnection: false,
    ...options,
  });
  const seen = [];
  const waiting = new Set();
  socket.onAny((name, data, ...rest) => {
    seen.push({ name, data, extra: rest.length });
    for (const look of [...waiting]) look();
  });
  const call = (name, data) => socket.timeout(PATIENCE).emitWithAck(name, data);
  const until = (name, match = {}, count = 1) =>
    new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no ${name}`)), PATIENCE);
      const look = () => {
        const found = seen.filter(
          (e) => e.name === name && Object.entries(match).every(([k, v]) => e.data[k] === v),
        );
        if (found.length < count) return;
        clearTimeout(late);
        waiting.delete(look);
        resolve(found[count - 1].data);
      };
      waiting.add(look);
      look();
    });
  return { socket, seen, call, until, transport: () => socket.io.engine.transport.name };
}

/** Print the report, the only thing on standard output, and end. */
export function report(value) {
  process.stdout.write(JSON.stringify(value), () => process.exit(0));
}
