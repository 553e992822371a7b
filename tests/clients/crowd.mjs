// Many clients that ask for recovery and follow rooms until each has seen the last entry of each of its rooms.
import { io } from "socket.io-client";

const given = JSON.parse(process.argv[2]);
const PATIENCE = 20_000;
const PRIVATE = ["connection_confirmed", "attempt_joined"];
const tell = (kind, line) => process.stdout.write(`${JSON.stringify({ told: kind, ...line })}\n`);

class Member {
  constructor({ name, token, kind, rooms }) {
    Object.assign(this, { name, kind, rooms, upgrades: 0, reasons: [], failures: [], strange: [] });
    this.seen = Object.fromEntries(rooms.map((room) => [room, []]));
    this.starts = {};
    this.unjoined = new Set(rooms);
    this.unended = new Set(rooms);
    this.done = new Promise((resolve) => (this.finish = resolve));
    this.socket = io(given.url, {
      auth: { token, recovery: true },
      transports: kind === "polling" || kind === "websocket" ? [kind] : ["polling", "websocket"],
      upgrade: kind === "upgrade",
      reconnectionDelay: 30,
      reconnectionDelayMax: 200,
      forceNew: true,
    });
    const manager = this.socket.io;
    manager.on("open", () => manager.engine.on("upgrade", () => (this.upgrades += 1)));
    this.socket.onAny((name, data, ...extra) => this.hear(name, data, extra));
    this.socket.on("connect", () => this.connected());
    this.socket.on("disconnect", (reason) => {
      this.reasons.push(reason);
      // the control: a string of the last room only, as if the others had never sent anything
      if (given.strip) this.socket._lastOffset = this.socket._lastOffset?.replace(/;[^~]*/, "");
    });
  }

  async connected() {
    const { recovered, io: manager } = this.socket;
    this.untilProbe = this.kind === "late" ? 1 + Math.floor(Math.random() * 40) : 0;
    tell("connected", { name: this.name, recovered: Boolean(recovered), process: manager.engine.id.split(".")[0] });
    if (!recovered) this.unjoined = new Set(this.rooms);
    for (const room of [...this.unjoined]) if (!(await this.join(room))) return;
    tell("joined", { name: this.name });
  }

  async join(room) {
    const after = this.seen[room].at(-1) ?? this.starts[room];
    let ack;
    try {
      ack = await this.socket.timeout(PATIENCE).emitWithAck("room_join", { room, after });
    } catch {
      return false; // the connection was lost; the next one joins
    }
    if (!ack.success || (after !== undefined && !ack.recovered)) this.failures.push(ack);
    this.starts[room] ??= ack.offset;
    this.unjoined.delete(room);
    return true;
  }

  hear(name, data, extra) {
    if (extra.length !== ("offset" in data ? 1 : 0)) this.strange.push({ name, extra });
    if (!(data.room in this.seen)) {
      if (!PRIVATE.includes(name)) this.strange.push({ name, data });
      return;
    }
    this.seen[data.room].push(data.offset);
    this.untilProbe -= 1;
    if (this.untilProbe === 0) this.socket.io.engine._probe("websocket"); // in the middle of the stream
    if (data.content !== given.end) return;
    this.unended.delete(data.room);
    if (this.unended.size === 0) this.leave();
  }

  async leave() {
    const emit = (room) => this.socket.timeout(PATIENCE).emitWithAck("room_leave", { room });
    await Promise.all(this.rooms.map(emit)); // what still was on its way came before these answers
    const { name, kind, seen, starts, upgrades, reasons, failures, strange } = this;
    tell("report", { name, kind, seen, starts, upgrades, reasons, failures, strange });
    this.finish();
  }
}

const members = given.members.map((member) => new Member(member));
await Promise.all(members.map((member) => member.done));
process.exit(0);
