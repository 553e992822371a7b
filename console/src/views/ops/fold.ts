/** The ops room: what is running, how often what happened, and what failed. Pure. */

import type { Entry, Fold } from "../../rooms";

export type Phase = "started" | "ended" | "error";

export interface Subject {
  kind: string;
  id: string | number;
  subject_room: string;
  owner: { kind: string; id: string };
  code?: string | null;
}

export interface Told extends Subject {
  phase: Phase;
  at: number;
  offset: number;
}

export interface Ops {
  counts: Record<string, Record<Phase, number>>;
  running: Subject[];
  errors: Subject[];
  /** What was told since one looks, newest first. */
  told: Told[];
}

const MAX_RUNNING = 200;
const MAX_ERRORS = 50;
const MAX_TOLD = 500;

const keyOf = (one: Subject) => `${one.kind}:${one.id}:${one.subject_room}`;

export const OPS: Fold<Ops> = {
  start(snapshot) {
    return {
      counts: (snapshot.counts as Ops["counts"] | undefined) ?? {},
      running: (snapshot.running as Subject[] | undefined) ?? [],
      errors: (snapshot.errors as Subject[] | undefined) ?? [],
      told: [],
    };
  },
  apply(state: Ops, entry: Entry): Ops {
    const told = toldIn(entry);
    if (!told) return state;
    return {
      counts: counted(state.counts, told),
      running: runningAfter(state.running, told),
      errors: told.phase === "error" ? [...state.errors, told].slice(-MAX_ERRORS) : state.errors,
      told: [told, ...state.told].slice(0, MAX_TOLD),
    };
  },
};

/** What an entry tells, if it is one of the room's. */
export function toldIn(entry: Entry): Told | null {
  if (entry.name !== "ops_entry") return null;
  return { ...(entry.data as unknown as Subject & { phase: Phase }), at: entry.at, offset: entry.offset };
}

function counted(counts: Ops["counts"], { kind, phase }: Told): Ops["counts"] {
  const before = counts[kind] ?? { started: 0, ended: 0, error: 0 };
  return { ...counts, [kind]: { ...before, [phase]: before[phase] + 1 } };
}

/** An error is the end of a generation, but not of what goes on after it. */
function runningAfter(running: Subject[], told: Told): Subject[] {
  const over = told.phase === "ended" || (told.phase === "error" && told.kind === "generation");
  if (told.phase === "error" && !over) return running;
  const others = running.filter((one) => keyOf(one) !== keyOf(told));
  return over ? others : [...others, told].slice(-MAX_RUNNING);
}
