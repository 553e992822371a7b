// Adds up the runs of a result as they come: scenarios by personality and test profile, and what is said now.

import type { RunStatus, RunView, Turn } from "./types";
import { ENDED, type Word, wordOf } from "./words";

const MAX_TURNS = 200; // of a run that goes on, the newest

export interface Column {
  key: string;
  personality: number | null;
  profile: number | null;
}

export interface Filter {
  show: "all" | "failed" | "succeeded" | "going";
  column: string | null;
  text: string;
}

interface Talk {
  attempt: number;
  turns: Turn[];
}

type Data = Record<string, unknown>;

/** The runs of one result; entries and answers may come in any order. */
export class Board {
  readonly runs = new Map<number, RunView>();
  readonly talks = new Map<number, Talk>();

  /** Takes the runs of an answer; what entries told since stays. */
  takeRuns(runs: Record<string, RunView>): void {
    const there = new Set<number>();
    for (const run of Object.values(runs)) {
      there.add(run.id);
      const known = this.runs.get(run.id);
      if (known && known.ended_at !== null && run.ended_at === null) continue; // older than what entries told
      this.runs.set(run.id, run);
      if (run.ended_at !== null) this.talks.delete(run.id);
    }
    for (const id of this.runs.keys()) if (!there.has(id)) this.runs.delete(id);
  }

  /** Takes the runs that a snapshot shows as going on. */
  takeGoing(going: Data[]): void {
    for (const run of going) {
      const turns = (run.turns ?? []) as Turn[];
      this.talks.set(Number(run.run_id), { attempt: Number(run.attempt), turns: [...turns] });
    }
  }

  begin(data: Data): void {
    this.talks.set(Number(data.run_id), { attempt: Number(data.attempt), turns: [] });
  }

  hear(data: Data): void {
    const talk = this.talks.get(Number(data.run_id));
    if (!talk || talk.attempt !== data.attempt) return; // of an attempt that is void
    talk.turns.push(data as unknown as Turn);
    if (talk.turns.length > MAX_TURNS) talk.turns.shift();
  }

  /** Takes the end of a run; false when the run is not known yet and has to be read. */
  end(data: Data, at: number): boolean {
    const id = Number(data.run_id);
    const run = this.runs.get(id);
    this.talks.delete(id);
    if (!run) return false;
    this.runs.set(id, {
      ...run,
      status: data.status as RunStatus,
      success: (data.success ?? null) as boolean | null,
      has_simulator_error: "simulator_error" in data,
      error_message: (data.error_message ?? null) as string | null,
      duration: clock(Number(data.duration ?? 0)),
      ended_at: run.ended_at ?? new Date(at).toISOString(),
    });
    return true;
  }

  word(run: RunView): Word {
    return wordOf(run, this.talks.has(run.id));
  }

  counts(): Map<Word, number> {
    const counts = new Map<Word, number>();
    for (const run of this.runs.values()) {
      const word = this.word(run);
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
    return counts;
  }

  columns(): Column[] {
    const found = new Map<string, Column>();
    for (const run of this.runs.values()) {
      const key = keyOf(run);
      if (!found.has(key)) found.set(key, { key, personality: run.personality, profile: run.test_profile });
    }
    return [...found.values()];
  }

  /** Returns the scenarios that a filter leaves, with their runs by column, so many at most. */
  rows(filter: Filter, most: number): { rows: Row[]; count: number } {
    const found = new Map<number, Row>();
    const text = filter.text.trim().toLowerCase();
    for (const run of this.runs.values()) {
      if (text && !run.scenario_name.toLowerCase().includes(text)) continue;
      if (filter.column !== null && keyOf(run) !== filter.column) continue;
      if (!isShown(this.word(run), filter.show)) continue;
      const row = found.get(run.scenario) ?? {
        scenario: run.scenario,
        name: run.scenario_name,
        cells: new Map(),
      };
      found.set(run.scenario, row);
      const cell = row.cells.get(keyOf(run));
      if (cell) cell.push(run);
      else row.cells.set(keyOf(run), [run]);
    }
    return { rows: [...found.values()].slice(0, most), count: found.size };
  }
}

export interface Row {
  scenario: number;
  name: string;
  cells: Map<string, RunView[]>;
}

function keyOf(run: RunView): string {
  return `${run.personality ?? ""}/${run.test_profile ?? ""}`;
}

function isShown(word: Word, show: Filter["show"]): boolean {
  if (show === "all") return true;
  if (show === "going") return !ENDED.has(word);
  if (show === "succeeded") return word === "succeeded";
  return ENDED.has(word) && word !== "succeeded";
}

/** Returns seconds as MM:SS, as runs have them. */
export function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${String(Math.floor(whole / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`;
}
