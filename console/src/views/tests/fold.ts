// What the entries of an invocation's room add up to; the same as the server's fold of it.

import type { Entry, Fold } from "../../rooms";

type Data = Record<string, unknown>;

export interface Turn {
  type: string; // user_turn, assistant_turn, tool_call, sources
  message: string;
}

export interface Talking {
  run_id: string;
  turns: Turn[];
  text: string; // of the turn that is being written
}

export interface Replay {
  run_id: string;
  original_run_resource_id: string | null;
  current_run: number;
  created_at: string;
  state: "running" | "done" | "failed" | "stopped";
  code?: string;
  grade?: { state: "running" | "done" | "failed"; judged?: number; score?: number; passed?: boolean };
}

export interface Replays {
  agent: string | null;
  runs: Map<string, Replay>;
  /** Running replays, and those that have ended while one looked. */
  talks: Map<string, Talking>;
  complete: { cycle: number; success: boolean } | null;
  more: boolean;
}

const KEPT = 50; // conversations of ended replays

function start(snapshot: Data): Replays {
  const runs = (snapshot.runs ?? []) as Replay[];
  const running = (snapshot.running ?? []) as Talking[];
  const invocation = snapshot.invocation as { agent?: { name?: string } } | undefined;
  return {
    agent: invocation?.agent?.name ?? null,
    runs: new Map(runs.map((run) => [run.run_id, run])),
    talks: new Map(running.map((talk) => [talk.run_id, talk])),
    complete: (snapshot.complete as Replays["complete"] | undefined) ?? null,
    more: snapshot.more === true,
  };
}

function change(state: Replays, id: unknown, how: (run: Replay) => Replay): Replays {
  const run = state.runs.get(String(id));
  return run ? { ...state, runs: new Map(state.runs).set(run.run_id, how(run)) } : state;
}

function began(state: Replays, data: Data): Replays {
  const run: Replay = {
    run_id: String(data.run_id),
    original_run_resource_id: (data.original_run_resource_id as string | undefined) ?? null,
    current_run: Number(data.current_run),
    created_at: String(data.created_at),
    state: "running",
  };
  const runs = new Map(state.runs);
  for (const [id, other] of runs) {
    // who stopped it died before telling
    const same = other.original_run_resource_id === run.original_run_resource_id;
    if (same && other.state === "running") runs.set(id, { ...other, state: "stopped" });
  }
  runs.set(run.run_id, run);
  const talks = new Map(state.talks).set(run.run_id, { run_id: run.run_id, turns: [], text: "" });
  for (const id of talks.keys()) {
    if (talks.size <= KEPT) break;
    if (runs.get(id)?.state !== "running") talks.delete(id);
  }
  return { ...state, runs, talks };
}

function progress(state: Replays, data: Data): Replays {
  const id = String(data.run_id);
  const message = String(data.message ?? "");
  if (data.type === "judge") return judged(state, id, message);
  const talk = state.talks.get(id);
  if (!talk) return state;
  const next: Talking =
    data.type === "assistant_delta"
      ? { ...talk, text: talk.text + message }
      : { ...talk, text: "", turns: [...talk.turns, { type: String(data.type), message }] };
  return { ...state, talks: new Map(state.talks).set(id, next) };
}

function judged(state: Replays, id: string, message: string): Replays {
  const entry = JSON.parse(message) as { completed_count?: number };
  const grade = { state: "running" as const, judged: entry.completed_count ?? 0 };
  return change(state, id, (run) => ({ ...run, grade }));
}

function failed(state: Replays, data: Data): Replays {
  if (data.error_type === "run") {
    return change(state, data.run_id, (run) => ({ ...run, state: "failed", code: String(data.code) }));
  }
  if (data.error_type !== "end") return state;
  return change(state, data.run_id, (run) => (run.grade ? { ...run, grade: { state: "failed" } } : run));
}

function graded(state: Replays, data: Data): Replays {
  const grade: NonNullable<Replay["grade"]> = { state: "done" };
  if (typeof data.score === "number") grade.score = data.score;
  if (typeof data.passed === "boolean") grade.passed = data.passed;
  return change(state, data.run_id, (run) => ({ ...run, grade }));
}

function stopped(state: Replays, data: Data): Replays {
  const ids = (data.run_ids ?? []) as string[];
  const end = (run: Replay): Replay => (run.state === "running" ? { ...run, state: "stopped" } : run);
  return ids.reduce((sum, id) => change(sum, id, end), state);
}

const STEPS: Record<string, (state: Replays, data: Data) => Replays> = {
  test_run_start: began,
  test_progress: progress,
  test_run_complete: (state, data) => change(state, data.run_id, (run) => ({ ...run, state: "done" })),
  test_error: failed,
  test_graded: graded,
  test_stopped: stopped,
  test_all_complete: (state, data) => ({
    ...state,
    complete: { cycle: Number(data.cycle), success: data.success === true },
  }),
};

export const testFold: Fold<Replays> = {
  start,
  apply: (state: Replays, entry: Entry) => STEPS[entry.name]?.(state, entry.data) ?? state,
};
