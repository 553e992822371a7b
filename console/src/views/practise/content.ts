// Attempts and what they are attempts at, as they are read back.

import type { Grade } from "../../conversation/types";

export interface Source {
  id: string;
  name: string;
  description: string;
  scenarios: { scenario_id: string; time_limit: number | null }[];
}

export type SourceKind = "home" | "practice";

export interface Entry {
  chat_entry_id: string;
  scenario_id: string;
  rubric_id: string | null;
  position: number;
  cycle: number;
  time_limit: number | null;
  use_custom: boolean;
  use_previous: boolean;
  chat_id: string | null;
  state: "pending" | "lobby" | "open" | "done";
  reused: boolean;
  persona_id: string | null;
  preparing: string | null;
}

export interface Attempt {
  id: string;
  name: string;
  home_id: string | null;
  practice_id: string | null;
  infinite_mode: boolean;
  cycle: number;
  status: "open" | "ending" | "ended";
  all_scenarios_complete: boolean;
  created_at: string;
  ended_at: string | null;
  entries: Entry[];
  chat_ids: string[];
}

/** A chat as lists have it. */
export interface ChatRow {
  id: string;
  attempt_id: string;
  chat_entry_id: string;
  created_at: string;
  closed_at: string | null;
  status: "open" | "closed";
  ended: boolean;
  rubric_id: string | null;
  scenario: { id: string; name: string };
  persona: { id: string; name: string };
  grades: Pick<Grade, "grade_id" | "state" | "score" | "total_points" | "percentage" | "passed">[];
}

/** The newest grade that is done: the one that counts. */
export function counting<G extends { state: string }>(grades: G[]): G | null {
  return grades.filter((grade) => grade.state === "done").at(-1) ?? null;
}

/** The entry that an attempt stands at: what is open, in its lobby or being prepared. */
export function current(attempt: Attempt): Entry | null {
  if (attempt.status === "ended") return null;
  return (
    attempt.entries.find((entry) => entry.state === "open") ??
    attempt.entries.find((entry) => entry.state === "lobby" || entry.state === "pending") ??
    null
  );
}
