/** The one Socket.IO connection: who is connected, calls that act once, and what the server sends. */

import { effect, type ReadonlySignal, signal } from "@preact/signals";
import { io } from "socket.io-client";
import { forgetGuest, guestId, me, recognise, token } from "./identity";
import { newId } from "./ids";
import type { ClientEvents, ServerEvents } from "./wire";

export type Line = "connecting" | "live" | "away" | "refused";
export type Data = Record<string, unknown>;
type Told = { code: string; message: string; retryable: boolean; retry_after?: number; details?: unknown };
type Ack = { success: true } | { success: false; error: Told };
type Heard = (name: string, data: Data) => void;

const PATIENCE_MS = 10_000; // for one answer
const ATTEMPTS = 6; // unanswered or put off by the server, on a living connection
const MAX_WAIT_S = 20; // what the server may ask us to wait before a call is given up

export class CallError extends Error {
  constructor(
    message: string,
    readonly code: string,
    readonly retryable: boolean,
    readonly details: unknown = null,
    readonly retryAfter: number | null = null,
  ) {
    super(message);
    this.name = "CallError";
  }
}

const state = signal<Line>("connecting");
const reason = signal<string | null>(null);
export const line: ReadonlySignal<Line> = state;
export const refusal: ReadonlySignal<string | null> = reason;

const heard = new Set<Heard>();
const handlers = new Map<string, Set<(data: never) => void>>();
const preparations = new Set<(recovered: boolean) => Promise<void>>();
let connections = 0; // counts them, so that what belongs to an old one is known
let ready = false; // confirmed, and everything that goes before calls is done

const socket = io({
  autoConnect: false,
  transports: ["websocket", "polling"],
  tryAllTransports: true,
  reconnectionDelay: 300,
  reconnectionDelayMax: 3000,
  auth: (done) => {
    const guest = guestId();
    const who = token.value !== null ? { token: token.value } : guest !== null ? { guest_id: guest } : {};
    done({ ...who, recovery: true });
  },
});

/** Connects, and again as somebody else whenever the token changes. */
export function start(): void {
  effect(() => {
    void token.value;
    ready = false;
    state.value = "connecting";
    reason.value = null;
    socket.disconnect().connect();
  });
}

/** Returns the number of the present connection, 0 when there is none. */
export function connection(): number {
  return socket.connected ? connections : 0;
}

/** Waits until the server has said who is here, or that nobody is let in. */
export function arrival(): Promise<void> {
  return until(() => me.peek() !== null || state.peek() === "refused");
}

/** Hears everything the server sends, in order. */
export function listen(hear: Heard): () => void {
  heard.add(hear);
  return () => heard.delete(hear);
}

/** Runs something at the begin of every connection; calls wait until it is done. */
export function prepare(preparation: (recovered: boolean) => Promise<void>): void {
  preparations.add(preparation);
}

/** Sends an event once over the present connection; `done` runs in the same turn in which the answer comes,
 * before what follows it. */
export function ask(
  event: string,
  payload: Data,
  done: (ack: Data | null, error: CallError | null) => void,
): void {
  if (!socket.connected) {
    done(null, new CallError("The connection is away.", "unavailable", true));
    return;
  }
  socket.timeout(PATIENCE_MS).emit(event, payload, (lost: Error | null, ack: Ack) => {
    if (lost) done(null, new CallError("No answer came.", "unavailable", true));
    else if (ack.success) done(ack, null);
    else done(null, refused(ack.error));
  });
}

/** Acts once, however often it has to be sent: waits for the connection, and sends again under the same id when the
 * answer was lost or the server asks for patience. Rejects with CallError. */
export async function call<E extends keyof ClientEvents & string, R = Data>(
  event: E,
  payload: ClientEvents[E],
): Promise<R> {
  const message = { client_event_id: newId(), ...(payload as Data) };
  const caller = token.peek();
  for (let attempt = 1; ; ) {
    await until(() => ready || state.value === "refused" || token.value !== caller);
    if (token.peek() !== caller)
      throw new CallError("Who is signed in has changed meanwhile.", "unauthenticated", false);
    if (state.peek() === "refused")
      throw new CallError(reason.peek() ?? "Not let in.", "unauthenticated", false);
    const before = connections;
    try {
      return (await once(event, message)) as R;
    } catch (error) {
      if (!(error instanceof CallError) || !["unavailable", "rate_limited"].includes(error.code)) throw error;
      const wait = error.retryAfter ?? (attempt === 1 ? 0.3 : 1);
      const broken = !socket.connected || before !== connections;
      if (!broken && (++attempt > ATTEMPTS || wait > MAX_WAIT_S)) throw error;
      if (!broken) await pause(wait * 1000);
    }
  }
}

/** Sends something that is worth nothing later: it is dropped while the line is away. */
export function stream<E extends keyof ClientEvents & string>(event: E, payload: ClientEvents[E]): void {
  if (ready && socket.connected) socket.volatile.emit(event, payload);
}

/** Hears every copy of an event, also those without a room. */
export function on<E extends keyof ServerEvents & string>(
  event: E,
  handler: (data: ServerEvents[E]) => void,
): () => void {
  const all = handlers.get(event) ?? new Set();
  handlers.set(event, all);
  all.add(handler);
  return () => {
    all.delete(handler);
  };
}

function once(event: string, message: Data): Promise<Data> {
  return new Promise((resolve, reject) => {
    ask(event, message, (ack, error) => (ack ? resolve(ack) : reject(error)));
  });
}

socket.onAny((name: string, data: Data) => {
  if (name === "connection_confirmed") confirmed(data);
  for (const hear of heard) hear(name, data);
  for (const handler of [...(handlers.get(name) ?? [])]) {
    try {
      handler(data as never);
    } catch (error) {
      reportError(error); // one broken listener must not keep the others from hearing
    }
  }
});

function confirmed(data: Data): void {
  const mine = ++connections;
  recognise(data as Parameters<typeof recognise>[0]);
  reason.value = null;
  const work = [...preparations].map((preparation) => preparation(data.recovered === true));
  void Promise.allSettled(work).then(() => {
    if (mine !== connections || !socket.connected) return;
    ready = true;
    state.value = "live";
  });
}

socket.on("disconnect", (why) => {
  ready = false;
  if (why === "io client disconnect") return;
  state.value = "away";
  if (why === "io server disconnect") later(1);
});

socket.on("connect_error", (error: Error & { data?: Partial<Told> }) => {
  ready = false;
  if (socket.active) {
    if (me.peek() !== null) state.value = "away"; // the network; the library tries again by itself
    return;
  }
  const code = error.data?.code ?? "";
  if (code === "unavailable" || code === "rate_limited") {
    reason.value = error.message;
    later(error.data?.retry_after ?? 2);
  } else if (token.peek() === null && guestId() !== null && code === "unauthenticated") {
    forgetGuest(); // another server's guest: ask again as a new one
    socket.connect();
  } else {
    reason.value = error.message;
    state.value = "refused";
  }
});

function later(seconds: number): void {
  const caller = token.peek();
  setTimeout(() => {
    if (token.peek() === caller && !socket.active) socket.connect();
  }, seconds * 1000);
}

function refused(told: Told): CallError {
  return new CallError(
    told.message,
    told.code,
    told.retryable,
    told.details ?? null,
    told.retry_after ?? null,
  );
}

/** Waits for a condition that changes with the connection or the identity. */
function until(holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const stop = effect(() => {
      void [state.value, me.value, token.value];
      if (holds()) queueMicrotask(finish);
    });
    function finish(): void {
      stop();
      resolve();
    }
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
