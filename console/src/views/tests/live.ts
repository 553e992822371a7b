// Follows one test: the REST has its runs and figures, the rooms of its invocations tell what happens.

import { signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { Drawing } from "../../drawing";
import { get, type Page } from "../../rest";
import { type Entry, follow } from "../../rooms";
import { Board } from "./board";
import type { Run, Test } from "./types";

const READ_MS = 1000; // between two readings, however much happens
const RETRY_MS = 5000;
const ONE_BY_ONE = 20; // changed runs; more are read with all the others
export const MOST = 10_000; // runs that are read; further ones are in the reports

/** Reads all runs of a test. */
export async function runsOf(testId: string, signal?: AbortSignal): Promise<Run[]> {
  const found: Run[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<Run> = await get("/api/v1/runs", { test_id: testId, limit: 200, cursor }, signal);
    found.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null && found.length < MOST);
  return found;
}

export class TestLive {
  readonly board = new Board();
  test: Test | null = null;
  error: Error | null = null;
  readonly drawn = signal(0);
  private readonly stopped = new AbortController();
  private readonly ends: (() => void)[] = [];
  private since: [string, Entry][] = []; // entries while runs are being read
  private reading = false;
  private again: { runs: boolean } | null = null;
  private changed = new Set<string>(); // runs whose points are to be read
  private timer = 0;
  private readonly drawing = new Drawing(() => {
    this.drawn.value += 1;
  });

  constructor(readonly id: string) {}

  begin(): () => void {
    void this.read(true);
    return () => {
      this.stopped.abort();
      for (const end of this.ends) end();
      clearTimeout(this.timer);
      this.drawing.stop();
    };
  }

  /** Reads the test again, and its runs too when entries are not enough. */
  async read(runs: boolean): Promise<void> {
    if (this.reading) {
      this.again = { runs: runs || this.again?.runs === true };
      return;
    }
    this.reading = true;
    this.since = [];
    const changed = [...this.changed];
    this.changed.clear();
    try {
      const { signal } = this.stopped;
      this.test = await get<Test>(`/api/v1/tests/${encodeURIComponent(this.id)}`, {}, signal);
      if (runs || changed.length > ONE_BY_ONE) {
        this.board.takeRuns(await runsOf(this.id, signal));
        for (const [invocation, entry] of this.since) this.board.take(invocation, entry);
      } else {
        const read = changed.map((id) => get<Run>(`/api/v1/runs/${encodeURIComponent(id)}`, {}, signal));
        this.board.putRuns(await Promise.all(read));
        for (const [invocation, entry] of this.since) this.board.take(invocation, entry);
      }
      this.error = null;
      if (this.ends.length === 0) this.follow();
    } catch (error) {
      this.error = error instanceof Error ? error : new Error(String(error));
      for (const id of changed) this.changed.add(id);
      if (this.ends.length > 0) this.soon(runs, RETRY_MS);
    }
    this.reading = false;
    if (this.stopped.signal.aborted) return;
    this.draw();
    if (this.again) this.soon(this.again.runs);
  }

  private draw(): void {
    this.drawing.soon();
  }

  private follow(): void {
    for (const { id, room } of this.test?.invocations ?? []) {
      const leave = follow(room, {
        snapshot: () => this.soon(true, 0), // also after a place was lost
        entry: (entry) => this.take(id, entry),
        place: () => undefined,
      });
      this.ends.push(leave);
    }
  }

  private take(invocation: string, entry: Entry): void {
    const kind = entry.data.type;
    if (entry.name === "test_progress" && kind !== "judge") return;
    if (this.reading) this.since.push([invocation, entry]);
    const known = this.board.take(invocation, entry);
    this.draw();
    if (entry.name === "test_graded") this.points(String(entry.data.run_id));
    this.soon(!known);
  }

  /** Has the points of a grade read, which its entry does not tell. */
  private points(runId: string): void {
    const run = this.board.byReplay(runId);
    if (run) this.changed.add(run.id);
  }

  private soon(runs: boolean, wait = READ_MS): void {
    this.again = { runs: runs || this.again?.runs === true };
    if (this.timer !== 0) return;
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      const wanted = this.again;
      this.again = null;
      if (wanted && !this.stopped.signal.aborted) void this.read(wanted.runs);
    }, wait);
  }
}

/** Follows a test while the component is there. */
export function useTest(id: string): TestLive {
  const live = useMemo(() => new TestLive(id), [id]);
  useEffect(() => live.begin(), [live]);
  void live.drawn.value;
  return live;
}
