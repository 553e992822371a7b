// What the entries of batch jobs' and evaluator results' rooms add up to; as the server folds them.

import type { Entry, Fold } from "../../rooms";

type Data = Record<string, unknown>;

export interface Newest {
  key: string;
  title: string;
  word: string;
  good: boolean | null;
}

export interface Doing {
  status: string;
  total: number | null;
  done: number;
  passed: number;
  failed: number;
  errors: number;
  newest: Newest[]; // newest first
  talks: Map<string, { title: string; turns: { role: string; content: string }[] }>;
}

const MOST = 50;

function put(list: Newest[], item: Newest): Newest[] {
  return [item, ...list.filter(({ key }) => key !== item.key)].slice(0, MOST);
}

const count = (value: unknown): number => (typeof value === "number" ? value : 0);
const maybe = (value: unknown): number | null => (typeof value === "number" ? value : null);

function batchItem(data: Data): Newest {
  const title = [data.test_case_name, data.permutation_name, data.language].filter(Boolean).join(" · ");
  const word = String(data.verdict);
  return { key: String(data.index), title, word, good: word === "Passed" };
}

export const batchFold: Fold<Doing> = {
  start: (snapshot: Data) => ({
    status: String(snapshot.status ?? "queued"),
    total: maybe(snapshot.total_runs),
    done: count(snapshot.results),
    passed: count(snapshot.passed),
    failed: count(snapshot.failed),
    errors: count(snapshot.errors),
    newest: ((snapshot.latest ?? []) as Data[]).map(batchItem).reverse(),
    talks: new Map(),
  }),
  apply: (state: Doing, { name, data }: Entry) => {
    if (name === "batch_started") return { ...state, status: "running", total: maybe(data.total_runs) };
    if (name === "batch_ended") return { ...state, status: String(data.status) };
    if (name !== "batch_result") return state;
    const next = { ...state, done: state.done + 1, newest: put(state.newest, batchItem(data)) };
    if (data.verdict === "Passed") next.passed += 1;
    else if (data.verdict === "Failed") next.failed += 1;
    else next.errors += 1;
    return next;
  },
};

function runTitle(data: Data): string {
  return String(data.scenario_name ?? `Run ${data.run_id}`);
}

function runItem(data: Data, title: string): Newest {
  const good = typeof data.success === "boolean" ? data.success : null;
  const word = good === null ? String(data.status) : good ? "succeeded" : "not succeeded";
  return { key: String(data.run_id), title, word, good };
}

function startResult(snapshot: Data): Doing {
  const running = (snapshot.running ?? []) as (Data & { turns: { role: string; content: string }[] })[];
  return {
    status: String(snapshot.status ?? "running"),
    total: maybe(snapshot.total_runs),
    done: count(snapshot.ended_runs),
    passed: count(snapshot.success_runs),
    failed: count(snapshot.failed_runs),
    errors: count(snapshot.simulator_errors),
    newest: ((snapshot.latest ?? []) as Data[]).map((run) => runItem(run, `Run ${run.run_id}`)).reverse(),
    talks: new Map(running.map((run) => [String(run.run_id), { title: runTitle(run), turns: run.turns }])),
  };
}

function runEnded(state: Doing, data: Data): Doing {
  const id = String(data.run_id);
  const talks = new Map(state.talks);
  const item = runItem(data, talks.get(id)?.title ?? `Run ${id}`);
  const again = state.newest.some(({ key }) => key === id); // judged anew
  talks.delete(id);
  const next = { ...state, talks, newest: put(state.newest, item) };
  if (again) return next;
  next.done += 1;
  if (data.success === true) next.passed += 1;
  if (data.status === "failed") next.failed += 1;
  if ("simulator_error" in data) next.errors += 1;
  return next;
}

export const resultFold: Fold<Doing> = {
  start: startResult,
  apply: (state: Doing, { name, data }: Entry) => {
    const id = String(data.run_id);
    if (name === "result_started") return { ...state, status: "running", total: maybe(data.total_runs) };
    if (name === "result_ended") return { ...state, status: String(data.status) };
    if (name === "run_ended") return runEnded(state, data);
    const talk = state.talks.get(id);
    if (name === "run_started") {
      return { ...state, talks: new Map(state.talks).set(id, { title: runTitle(data), turns: [] }) };
    }
    if (name !== "run_turn" || !talk) return state;
    const turn = { role: String(data.role), content: String(data.content) };
    return {
      ...state,
      talks: new Map(state.talks).set(id, { ...talk, turns: [...talk.turns, turn].slice(-10) }),
    };
  },
};
