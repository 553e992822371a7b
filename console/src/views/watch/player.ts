// A room that can be looked at live, held, moved through and played again.

import { signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { Drawing } from "../../drawing";
import { get, type Page } from "../../rest";
import { type Entry, type Fold, follow, type Place } from "../../rooms";
import { call, line, on } from "../../socket";

export type Mode = "live" | "paused" | "playing";
export const SPEEDS = ["0.5", "1", "2", "4", "8"] as const;
export type Speed = (typeof SPEEDS)[number];

const PAGE = 200; // entries that are read at once
const STRIDE = 500; // entries between moments that are kept for moving back
// Facts of a room that no entry tells, and that never change.
const FIXED = ["chat", "invocation"];

type Data = Record<string, unknown>;

export class Player<S> {
  mode: Mode = "live";
  speed: Speed = "1";
  place: Place = "joining";
  error: Error | null = null;
  /** The newest entry, the one that is shown, and the one before the first that is kept. */
  head = 0;
  at = 0;
  floor = 0;
  loading = false;
  readonly drawn = signal(0);
  private present: S | null = null; // the room as it is, also while an earlier moment is shown
  private past: S | null = null;
  private fixed: Data = {};
  private epoch: string | undefined;
  private entries: Entry[] = []; // by offset, from the floor on
  private moments: { at: number; state: S }[] = []; // where moving begins to fold, oldest first
  private reading: Promise<void> | null = null;
  private wanted = 0; // counts what was asked for: a late answer must not undo what came after
  private readonly drawing = new Drawing(() => {
    this.drawn.value += 1;
  });

  constructor(
    readonly room: string,
    private readonly fold: Fold<S>,
  ) {}

  get state(): S | null {
    return this.mode === "live" ? this.present : this.past;
  }

  /** Seconds from the first entry that is known to the one that is shown; null when it is not known. */
  get seconds(): number | null {
    const [first, shown] = [this.entries[0], this.entries[this.at - this.floor - 1]];
    return first && shown ? (shown.at - first.at) / 1000 : null;
  }

  begin(): () => void {
    const ends = [
      follow(this.room, {
        snapshot: (snapshot, offset, epoch) => this.anew(snapshot, offset, epoch),
        entry: (entry) => this.heard(entry),
        place: (place, error) => {
          this.place = place;
          this.error = error ?? null;
          this.draw();
        },
      }),
      on("replay_entry", (entry) => entry.room === this.room && this.played(entry as Entry)),
      on("replay_end", (end) => end.room === this.room && this.ended()),
      line.subscribe((now) => now === "live" && this.mode === "playing" && this.askAgain()), // a replay ends with its line
    ];
    return () => {
      if (this.mode === "playing") this.hush();
      for (const end of ends) end();
      this.drawing.stop();
    };
  }

  pause(): void {
    if (this.mode === "live") this.past = this.present;
    if (this.mode === "playing") this.hush();
    this.wanted += 1;
    this.mode = "paused";
    this.draw();
  }

  live(): void {
    if (this.mode === "playing") this.hush();
    this.wanted += 1;
    this.mode = "live";
    this.at = this.head;
    this.draw();
  }

  /** Shows the room as it was after an entry. */
  async seek(offset: number): Promise<void> {
    if (this.mode !== "paused") this.pause();
    this.wanted += 1;
    const turn = this.wanted;
    this.at = Math.max(0, Math.min(offset, this.head)); // the slider moves at once
    await this.read(this.at);
    if (turn !== this.wanted) return;
    this.at = Math.max(this.at, this.floor);
    this.past = this.stateAt(this.at);
    this.draw();
  }

  /** Folds the entries up to one, from the nearest moment before it. */
  private stateAt(offset: number): S {
    const known = this.moments.findLast(({ at }) => at <= offset);
    let state = known?.state ?? this.fold.start(this.fixed);
    for (const entry of this.entries.slice((known?.at ?? this.floor) - this.floor, offset - this.floor)) {
      state = this.fold.apply(state, entry);
      const last = this.moments.at(-1)?.at ?? this.floor;
      if (entry.offset - last >= STRIDE) this.moments.push({ at: entry.offset, state });
    }
    return state;
  }

  /** Plays on from where one is; from the beginning when one is at the end. */
  async play(): Promise<void> {
    await this.seek(this.at >= this.head ? this.floor : this.at);
    if (this.mode !== "paused") return;
    this.mode = "playing";
    this.draw();
    await this.ask();
  }

  toggle(): Promise<void> | void {
    return this.mode === "paused" ? this.play() : this.pause();
  }

  async setSpeed(speed: Speed): Promise<void> {
    this.speed = speed;
    this.draw();
    if (this.mode === "playing") await this.ask();
  }

  private async ask(): Promise<void> {
    try {
      await call("room_replay", { room: this.room, from: this.at + 1, speed: Number(this.speed) });
    } catch (error) {
      if (this.mode === "playing") this.mode = "paused";
      this.draw();
      throw error;
    }
  }

  /** Go on after a break, or pause where that cannot be. */
  private askAgain(): void {
    this.ask().catch(() => undefined);
  }

  private hush(): void {
    call("room_replay_stop", { room: this.room }).catch(() => undefined); // what still comes is not shown
  }

  private played(entry: Entry): void {
    if (this.mode !== "playing" || entry.offset !== this.at + 1 || this.past === null) return;
    this.past = this.fold.apply(this.past, entry);
    this.at = entry.offset;
    if (entry.offset === this.floor + this.entries.length + 1) this.entries.push(entry);
    this.draw();
  }

  private ended(): void {
    if (this.mode === "playing" && this.at >= this.head) this.live();
    else if (this.mode === "playing") this.askAgain(); // it has grown meanwhile
  }

  private anew(snapshot: Data, offset: number, epoch: string | undefined): void {
    if (epoch !== this.epoch) this.forget(); // what is known has other numbers
    this.epoch = epoch;
    this.fixed = Object.fromEntries(FIXED.filter((name) => name in snapshot).map((n) => [n, snapshot[n]]));
    this.present = this.fold.start(snapshot);
    this.head = offset;
    if (this.mode === "live") this.at = offset;
    this.draw();
  }

  private forget(): void {
    this.entries = [];
    this.moments = [];
    this.floor = 0;
    this.past = null;
    if (this.mode !== "live") this.live();
  }

  private heard(entry: Entry): void {
    if (this.present === null) return;
    this.present = this.fold.apply(this.present, entry);
    this.head = entry.offset;
    if (this.mode === "live")
      this.at = entry.offset; // what is needed to move back is read then
    else if (entry.offset === this.floor + this.entries.length + 1) this.entries.push(entry);
    this.draw();
  }

  /** Reads stored entries until those up to an offset are there. */
  private async read(upto: number): Promise<void> {
    while (this.reading) await this.reading;
    if (this.floor + this.entries.length >= upto && this.entries.length > 0) return;
    this.loading = true;
    this.draw();
    this.reading = this.readPages(upto).finally(() => {
      this.reading = null;
      this.loading = false;
      this.draw();
    });
    await this.reading;
  }

  private async readPages(upto: number): Promise<void> {
    let more = true;
    while (more && (this.entries.length === 0 || this.floor + this.entries.length < upto)) {
      const after = this.entries.at(-1)?.offset;
      const path = `/api/v1/rooms/${encodeURIComponent(this.room)}/entries`;
      const epoch = this.epoch;
      const page = await get<Page<Entry>>(path, { after, limit: PAGE });
      if (epoch !== this.epoch) return; // of before: it has other numbers
      const first = page.items[0];
      if (first && this.entries.length === 0) this.floor = first.offset - 1;
      for (const entry of page.items) {
        if (entry.offset === this.floor + this.entries.length + 1) this.entries.push(entry);
      }
      more = page.next_cursor !== null;
    }
  }

  private draw(): void {
    this.drawing.soon();
  }
}

/** Follows a room while the component is there; draws calmly. */
export function usePlayer<S>(room: string, fold: Fold<S>): Player<S> {
  const player = useMemo(() => new Player(room, fold), [room, fold]);
  useEffect(() => player.begin(), [player]);
  void player.drawn.value;
  return player;
}
