/** Following rooms without a hole and without a repetition, over breaks of the connection. */

import { effect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { Drawing } from "./drawing";
import { myId, token } from "./identity";
import { ask, type CallError, connection, type Data, line, listen, prepare } from "./socket";

export interface Entry {
  room: string;
  offset: number;
  at: number;
  name: string;
  data: Data;
}
export interface Fold<S> {
  start(snapshot: Data): S;
  apply(state: S, entry: Entry): S;
}
export type Place = "joining" | "live" | "away" | "refused" | "gone";
export interface Handlers {
  snapshot(snapshot: Data, offset: number, epoch: string | undefined): void;
  entry(entry: Entry): void;
  place(place: Place, error?: Error): void;
}

type Ear = (hears: boolean) => void;

const KEPT = 5000; // entries kept for those who begin to follow a room that is followed already
const memberships = new Map<string, Membership>();

/** One room that somebody here follows; its followers share the membership. */
class Membership {
  readonly followers = new Set<Handlers>();
  private base: { snapshot: Data; offset: number } | null = null;
  private entries: Entry[] = []; // since the base
  private offset: number | null = null; // of the newest entry seen
  private epoch: string | undefined;
  private place: Place = "joining";
  private error: Error | undefined;
  private joined = 0; // the connection that is a member
  private torn = false; // entries are missing, or there is no base: leave and join again
  private busy = 0; // the connection on which an answer is awaited
  private ears = new Set<Ear>(); // who here wants the room's sound
  private heard = 0; // the connection that gets it
  private waiters: (() => void)[] = [];

  constructor(readonly room: string) {}

  add(handlers: Handlers): void {
    this.followers.add(handlers);
    if (this.place === "refused" || this.place === "gone") this.moved("joining"); // asked again: try again
    handlers.place(this.place, this.error);
    if (this.base === null) return this.go();
    if (this.entries.length >= KEPT) {
      this.forget(); // a fresh snapshot, for all
      this.torn = true;
      return this.go();
    }
    handlers.snapshot(this.base.snapshot, this.base.offset, this.epoch);
    for (const entry of this.entries) handlers.entry(entry);
    this.go();
  }

  remove(handlers: Handlers): void {
    this.followers.delete(handlers);
    this.go();
  }

  /** Wants the room's sound, or not any more. */
  hear(ear: Ear): void {
    this.ears.add(ear);
    ear(this.heard !== 0);
    this.go();
  }

  ignore(ear: Ear): void {
    this.ears.delete(ear);
    this.go();
  }

  /** Comes back with the connection; resolves when the room is followed again, or cannot be. */
  resume(recovered: boolean): Promise<void> {
    if (recovered && this.joined > 0 && this.busy === 0 && !this.torn) {
      this.joined = connection(); // the server goes on where it was
      this.moved("live");
    } else {
      // an answer may be lost, and one's own room is joined at its head: only leaving makes the place certain
      if (recovered || (own(this.room) && this.offset !== null)) this.torn = true;
      this.joined = 0;
    }
    this.busy = 0;
    this.hears(0); // sound is asked for on each connection
    if (this.place === "refused") this.place = "joining";
    return new Promise((resolve) => {
      this.waiters.push(resolve);
      this.go();
    });
  }

  broken(): void {
    this.hears(0);
    if (this.place === "live") this.moved("away");
  }

  /** Takes in an entry: the next one is told, an old one is not, and a later one shows a hole. */
  take(entry: Entry): void {
    if (this.offset === null || entry.offset <= this.offset) return;
    if (entry.offset > this.offset + 1) {
      this.torn = true;
      this.go();
      return;
    }
    this.offset = entry.offset;
    if (this.entries.length < KEPT) this.entries.push(entry);
    this.tell((handlers) => handlers.entry(entry));
  }

  /** Starts again from a snapshot: the place was gone. */
  reset(snapshot: Data, offset: number, epoch: unknown): void {
    this.epoch = typeof epoch === "string" ? epoch : this.epoch;
    this.offset = offset;
    this.base = { snapshot, offset };
    this.entries = [];
    this.tell((handlers) => handlers.snapshot(snapshot, offset, this.epoch));
  }

  /** Begins anew: what is known belongs to somebody else, or is too much to tell again. */
  forget(): void {
    this.base = null;
    this.offset = null;
    this.entries = [];
  }

  private tell(how: (handlers: Handlers) => void): void {
    for (const handlers of [...this.followers]) {
      try {
        how(handlers);
      } catch (error) {
        reportError(error); // one broken follower must not keep the others from following
      }
    }
  }

  private hears(now: number): void {
    this.heard = now;
    for (const ear of this.ears) ear(now !== 0);
  }

  private moved(place: Place, error?: Error): void {
    this.place = place;
    this.error = error;
    this.tell((handlers) => handlers.place(place, error));
  }

  /** Does the next step towards what is wanted; each answer takes the one after it. */
  private go(): void {
    const now = connection();
    if (now !== 0 && this.busy === now) return;
    const wanted = this.followers.size > 0 && this.place !== "refused" && this.place !== "gone";
    const member = now !== 0 && this.joined === now;
    const left = member && !wanted && !own(this.room);
    const loud = member && this.heard === now && this.ears.size === 0; // only leaving ends the sound
    if (now !== 0 && (this.torn || left || loud)) this.leave(now);
    else if (now !== 0 && wanted && (!member || (this.ears.size > 0 && this.heard !== now))) this.join(now);
    else this.settled();
  }

  private settled(): void {
    for (const resolve of this.waiters.splice(0)) resolve();
    const tell = connection() === 0 && (this.joined > 0 || this.busy > 0); // the server may keep the place for us
    if (this.followers.size === 0 && !tell) memberships.delete(this.room);
  }

  private leave(now: number): void {
    this.step(now, "room_leave", {}, (_, error) => {
      if (error?.retryable) return this.again(error);
      this.torn = false;
      this.joined = 0;
      this.hears(0);
      this.go();
    });
  }

  private join(now: number): void {
    const after =
      this.offset === null ? {} : { after: this.offset, ...(this.epoch && { epoch: this.epoch }) };
    const audio = this.ears.size > 0;
    this.step(now, "room_join", { ...after, ...(audio && { audio }) }, (ack, error) => {
      if (error !== null) return this.refused(error);
      const snapshot = ack?.snapshot as Data | undefined;
      this.joined = now;
      this.hears(audio ? now : 0);
      if (snapshot) this.reset(snapshot, Number(ack?.offset), ack?.epoch);
      else if (this.offset === null) this.torn = true; // a member already, of which we do not know the beginning
      if (!this.torn) this.moved("live");
      this.go();
    });
  }

  private step(
    now: number,
    event: string,
    payload: Data,
    done: (ack: Data | null, error: CallError | null) => void,
  ): void {
    this.busy = now;
    ask(event, { room: this.room, ...payload }, (ack, error) => {
      if (this.busy !== now) return; // of a connection that is gone
      this.busy = 0;
      done(ack, error);
    });
  }

  private refused(error: CallError): void {
    if (error.retryable || error.code === "rate_limited") return this.again(error);
    this.moved(error.code === "gone" ? "gone" : "refused", error);
    this.go();
  }

  private again(error: CallError): void {
    for (const resolve of this.waiters.splice(0)) resolve(); // nobody waits for a room that takes long
    this.torn = true; // the answer may be lost, and the room joined or left
    const now = connection();
    if (now === 0) return; // the next connection goes on
    this.busy = now;
    setTimeout(
      () => {
        if (this.busy !== now) return;
        this.busy = 0;
        this.go();
      },
      (error.retryAfter ?? 1) * 1000,
    );
  }
}

/** Follows a room until the returned function is called. */
export function follow(room: string, handlers: Handlers): () => void {
  const membership = memberships.get(room) ?? new Membership(room);
  memberships.set(room, membership);
  membership.add(handlers);
  return () => membership.remove(handlers);
}

/** Has the server send the sound of a room that is followed, until the returned function is called; `ear` is told
 * whether it does. */
export function hear(room: string, ear: Ear): () => void {
  const membership = memberships.get(room) ?? new Membership(room);
  memberships.set(room, membership);
  membership.hear(ear);
  return () => membership.ignore(ear);
}

/** Follows a room and folds its entries; renders calmly, however many entries come. */
export function useRoom<S>(
  room: string | null,
  fold: Fold<S>,
): { state: S | null; place: Place; offset: number; error: Error | null } {
  type Seen = { room: string | null; state: S | null; place: Place; offset: number; error: Error | null };
  const fresh = (): Seen => ({ room, state: null, place: "joining", offset: 0, error: null });
  const [, render] = useState(0);
  const seen = useRef<Seen>(fresh());
  if (seen.current.room !== room) seen.current = fresh();
  useEffect(() => {
    if (room === null) return;
    const mine = fresh();
    seen.current = mine;
    const drawing = new Drawing(() => render((n) => n + 1));
    const shown = () => drawing.soon();
    const folded = (step: () => S, offset: number) => {
      try {
        mine.state = step();
        mine.offset = offset;
      } catch (error) {
        mine.error = error instanceof Error ? error : new Error(String(error));
        reportError(error);
      }
      shown();
    };
    const stop = follow(room, {
      snapshot: (snapshot, offset) => folded(() => fold.start(snapshot), offset),
      entry: (entry) => {
        const before = mine.state;
        if (before !== null) folded(() => fold.apply(before, entry), entry.offset);
      },
      place: (place, error) => {
        mine.place = place;
        mine.error = error ?? null;
        shown();
      },
    });
    return () => {
      stop();
      drawing.stop();
    };
  }, [room]);
  const { state, place, offset, error } = seen.current;
  return { state, place, offset, error };
}

/** One's own room is joined by the server at connect, and never left. */
function own(room: string): boolean {
  const id = myId();
  return id !== null && (room === `profile_${id}` || room === `guest_${id}`);
}

listen((name, data) => {
  const membership = typeof data?.room === "string" ? memberships.get(data.room) : undefined;
  if (membership === undefined || typeof data.offset !== "number") return;
  if (name === "room_reset") membership.reset(data.snapshot as Data, data.offset, data.epoch);
  else if (typeof data.at === "number") {
    membership.take({ room: membership.room, offset: data.offset, at: data.at, name, data });
  }
});

effect(() => {
  if (line.value === "away") for (const membership of memberships.values()) membership.broken();
});

effect(() => {
  void token.value;
  for (const membership of memberships.values()) membership.forget(); // another may not see the same
});

prepare(async (recovered) => {
  await Promise.all([...memberships.values()].map((membership) => membership.resume(recovered)));
});
