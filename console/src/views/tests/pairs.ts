// The runs of two tests, beside each other.

import type { Run, Test } from "./types";

export type Change = "better" | "worse" | "same" | "unknown";
export interface Pair {
  key: string;
  name: string;
  agent: string;
  before: Run | null;
  after: Run | null;
  change: Change;
}

const ORDER: readonly Change[] = ["worse", "better", "unknown", "same"];

/** Pairs runs of the same recorded run with the same agent, each by its last round; what got worse comes first. */
export function changes(before: [Test, Run[]], after: [Test, Run[]]): Pair[] {
  const [left, right] = [latest(...before), latest(...after)];
  const pairs = [...new Set([...left.keys(), ...right.keys()])].map((key): Pair => {
    const [one, other] = [left.get(key) ?? null, right.get(key) ?? null];
    const shown = one ?? other;
    return {
      key,
      name: shown?.run.name ?? "",
      agent: shown?.agent ?? "",
      before: one?.run ?? null,
      after: other?.run ?? null,
      change: changeOf(one?.run ?? null, other?.run ?? null),
    };
  });
  return pairs.sort((a, b) => ORDER.indexOf(a.change) - ORDER.indexOf(b.change));
}

function latest(test: Test, runs: readonly Run[]): Map<string, { run: Run; agent: string }> {
  const agents = new Map(test.invocations.map(({ id, agent }) => [id, agent]));
  const found = new Map<string, { run: Run; agent: string }>();
  for (const run of runs) {
    const agent = agents.get(run.invocation_id);
    const key = `${agent?.id} ${run.original_id}`;
    const known = found.get(key)?.run;
    if (!known || isLater(run, known)) found.set(key, { run, agent: agent?.name ?? "Agent" });
  }
  return found;
}

/** A round that was judged says more than a later one that was not. */
function isLater(run: Run, known: Run): boolean {
  if ((value(run) === null) !== (value(known) === null)) return value(run) !== null;
  return run.cycle > known.cycle;
}

/** How well a run did: passing counts more than any points. */
function value(run: Run | null): number | null {
  if (run?.outcome === "passed") return 1000 + (run.percentage ?? 0);
  if (run?.outcome === "not_passed") return 100 + (run.percentage ?? 0);
  return run?.outcome === "failed" ? 0 : null;
}

function changeOf(before: Run | null, after: Run | null): Change {
  const [one, other] = [value(before), value(after)];
  if (one === null || other === null) return "unknown";
  return other > one ? "better" : other < one ? "worse" : "same";
}
