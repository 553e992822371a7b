/** Runs of generate as the room of one's profile tells of them. Pure. */

import type { Entry, Fold } from "../../rooms";

export interface Run {
  run_id: string;
  artifact_type: string;
  resources: string[];
  total_resources?: number;
  state: "running" | "done" | "failed";
  message?: string;
  artifact_id?: string;
}

export type Runs = Record<string, Run>;

export const RUNS: Fold<Runs> = {
  start(snapshot) {
    const runs = (snapshot.generations as Run[] | undefined) ?? [];
    return Object.fromEntries(runs.map((run) => [run.run_id, run]));
  },
  apply(runs: Runs, entry: Entry): Runs {
    const { name, data } = entry;
    const id = data.run_id;
    if (!name.startsWith("generation_") || typeof id !== "string") return runs;
    return { ...runs, [id]: after(runs[id] ?? begun(id, String(data.artifact_type)), name, data) };
  },
};

function begun(run_id: string, artifact_type: string): Run {
  return { run_id, artifact_type, resources: [], state: "running" };
}

function after(run: Run, name: string, data: Record<string, unknown>): Run {
  const next = { ...run };
  if (name === "generation_progress") {
    next.resources = [...run.resources, String(data.last_completed_resource)];
    next.total_resources = Number(data.total_resources);
  } else if (name === "generation_complete") {
    next.state = "done";
  } else if (name === "generation_error") {
    return { ...next, state: "failed", message: String(data.message) };
  }
  if (typeof data.artifact_id === "string") next.artifact_id = data.artifact_id;
  return next;
}
