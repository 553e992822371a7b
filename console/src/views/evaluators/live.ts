// Follows one result: the REST has its runs, its room tells what happens to them.

import { type ReadonlySignal, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { get, Order } from "../../rest";
import { type Entry, follow, type Place } from "../../rooms";
import { Board } from "./board";
import { API, type ResultView } from "./types";

const DRAW_MS = 200; // between two drawings, however much is said
const READ_MS = 1000; // between two readings of the runs

export class ResultLive {
  readonly board = new Board();
  result: ResultView | null = null;
  place: Place = "joining";
  error: Error | null = null;
  readonly drawn = signal(0);
  private readonly stopped = new AbortController();
  private readonly order = new Order();
  private drawing: number | null = null;
  private reading: number | null = null;

  constructor(readonly resultId: number) {}

  /** Begins to follow; returns what ends it. */
  begin(): () => void {
    void this.refresh();
    const leave = follow(`result_${this.resultId}`, {
      snapshot: (snapshot) => {
        this.board.takeGoing((snapshot.running ?? []) as Record<string, unknown>[]);
        void this.refresh();
      },
      entry: (entry) => this.take(entry),
      place: (place) => {
        const isBack = place === "live" && this.place !== "live";
        this.place = place;
        if (isBack) void this.refresh();
        this.draw();
      },
    });
    return () => {
      leave();
      this.stopped.abort();
      for (const timer of [this.drawing, this.reading]) if (timer !== null) clearTimeout(timer);
    };
  }

  /** Reads the result and its runs, without what was said in them. */
  async refresh(): Promise<void> {
    const isNewest = this.order.ask();
    try {
      const query = { transcripts: false };
      const found = await get<ResultView>(`${API}/results/${this.resultId}/`, query, this.stopped.signal);
      if (!isNewest()) return;
      this.result = found;
      this.board.takeRuns(found.runs ?? {});
      this.error = null;
    } catch (error) {
      if (this.stopped.signal.aborted || !isNewest({ failed: true })) return;
      this.error = error instanceof Error ? error : new Error(String(error));
    }
    this.draw();
  }

  private take(entry: Entry): void {
    if (entry.name === "run_started") this.board.begin(entry.data);
    if (entry.name === "run_turn") this.board.hear(entry.data);
    const isKnown = entry.name !== "run_ended" || this.board.end(entry.data, entry.at);
    if (entry.name === "run_started" && !this.board.runs.has(Number(entry.data.run_id))) this.readSoon();
    if (!isKnown || entry.name === "result_started" || entry.name === "result_ended") this.readSoon();
    this.draw();
  }

  private readSoon(): void {
    if (this.reading !== null || this.stopped.signal.aborted) return;
    this.reading = window.setTimeout(() => {
      this.reading = null;
      void this.refresh();
    }, READ_MS);
  }

  private draw(): void {
    if (this.drawing !== null || this.stopped.signal.aborted) return;
    this.drawing = window.setTimeout(() => {
      this.drawing = null;
      this.drawn.value += 1;
    }, DRAW_MS);
  }
}

/** Follows a result while the component is there; draws again at most five times a second. */
export function useResult(resultId: number): { live: ResultLive; drawn: ReadonlySignal<number> } {
  const live = useMemo(() => new ResultLive(resultId), [resultId]);
  useEffect(() => live.begin(), [live]);
  return { live, drawn: live.drawn };
}
