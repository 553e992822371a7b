// The runs of a test by agent and recorded run, as they are read and as entries change them.

import type { Entry } from "../../rooms";
import type { Outcome, Run, RunState } from "./types";

export interface Row {
  original: string;
  name: string;
  cells: Map<string, Run>; // by invocation
}

/** The runs of one test; entries may be taken again after runs that were read. */
export class Board {
  private readonly runs = new Map<string, Run>();
  private readonly replays = new Map<string, string>(); // a replay's run, by the replay's id

  /** Takes runs that were read; the entries that came meanwhile must be taken again. */
  takeRuns(runs: readonly Run[]): void {
    this.runs.clear();
    this.replays.clear();
    this.putRuns(runs);
  }

  /** Takes some runs that were read. */
  putRuns(runs: readonly Run[]): void {
    for (const run of runs) {
      this.runs.set(run.id, run);
      if (run.run_id) this.replays.set(run.run_id, run.id);
    }
  }

  byReplay(runId: string): Run | undefined {
    return this.runs.get(this.replays.get(runId) ?? "");
  }

  get size(): number {
    return this.runs.size;
  }

  /** Takes an entry of an invocation's room; false when the runs have to be read for it. */
  take(invocation: string, { name, data }: Entry): boolean {
    if (name === "test_run_start") return this.began(invocation, data);
    if (name === "test_all_complete") return false; // the next round has runs of its own
    if (name === "test_stopped") {
      for (const id of (data.run_ids ?? []) as string[]) this.change(id, { state: "pending" });
      return true;
    }
    const id = String(data.run_id);
    if (name === "test_run_complete") return this.change(id, { state: "done", outcome: "ungraded" });
    if (name === "test_error" && data.error_type === "run") return this.failed(id, data);
    if (name === "test_error") return this.change(id, { grading: false }) || data.run_id === undefined;
    if (name === "test_progress" && data.type === "judge") return this.change(id, { grading: true });
    if (name === "test_graded") return this.graded(id, data);
    return true;
  }

  private began(invocation: string, data: Record<string, unknown>): boolean {
    const mine = [...this.runs.values()].filter(
      (run) => run.invocation_id === invocation && run.original_id === data.original_run_resource_id,
    );
    const run = mine.sort((a, b) => b.cycle - a.cycle)[0];
    if (!run) return false;
    const fresh = { run_id: String(data.run_id), state: "running" as RunState, error: null };
    this.putRuns([{ ...run, ...fresh, outcome: "unfinished" }]);
    return run.state !== "done"; // perhaps of a round that is not known yet
  }

  private failed(id: string, data: Record<string, unknown>): boolean {
    const error = { code: String(data.code), message: String(data.message) };
    return this.change(id, { state: "failed", outcome: "failed", error });
  }

  private graded(id: string, data: Record<string, unknown>): boolean {
    const outcome: Outcome = data.passed === true ? "passed" : "not_passed";
    const score = typeof data.score === "number" ? data.score : null;
    return this.change(id, { grading: false, outcome, score, passed: data.passed === true });
  }

  private change(runId: string, what: Partial<Run>): boolean {
    const run = this.byReplay(runId);
    if (run) this.runs.set(run.id, { ...run, ...what });
    return run !== undefined;
  }

  /** How many rounds there are. */
  get cycles(): number {
    return Math.max(1, ...[...this.runs.values()].map(({ cycle }) => cycle));
  }

  rows(cycle: number): Row[] {
    const found = new Map<string, Row>();
    const runs = [...this.runs.values()].filter((run) => run.cycle === cycle);
    for (const run of runs.sort((a, b) => a.position - b.position)) {
      const row = found.get(run.original_id) ?? {
        original: run.original_id,
        name: run.name,
        cells: new Map(),
      };
      row.cells.set(run.invocation_id, run);
      found.set(run.original_id, row);
    }
    return [...found.values()];
  }
}
