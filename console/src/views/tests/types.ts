// What the REST answers about tests, as the view uses it.

import type { WholeGrade } from "../../conversation/types";

export type RunState = "pending" | "queued" | "running" | "done" | "failed" | "stopped";
export type Outcome = "passed" | "not_passed" | "failed" | "ungraded" | "unfinished";

export interface Benchmark {
  id: string;
  name: string;
  description: string;
  agent_ids: string[];
  run_count?: number;
}

export interface Counts {
  total: number;
  pending: number;
  queued: number;
  running: number;
  done: number;
  failed: number;
  grading: number;
  graded: number;
  passed: number;
}

interface Spread {
  count: number;
  mean: number | null;
  p50: number | null;
  p95: number | null;
}

interface Spent {
  prompt_tokens: number;
  completion_tokens: number;
  cost_usd: number | null;
}

export interface Figures {
  runs: number;
  judged: number;
  passed: number;
  pass_rate: number | null;
  pass_k: { k: number; value: number }[];
  percentage: { mean: number | null } | null;
  first_token_ms: Spread | null;
  duration_ms: Spread | null;
  usage: Spent;
  grading: Spent;
  tool_calls: { made: number; matched: number; recorded: number };
}

export interface Invocation {
  id: string;
  test_id: string;
  agent: { id: string; name: string; model: string | null };
  position: number;
  infinite_mode: boolean;
  cycle: number;
  counts: Counts;
  room: string;
  figures?: Figures;
}

export interface TestRow {
  id: string;
  benchmark: Benchmark;
  infinite_mode: boolean;
  status: "open" | "ending" | "ended";
  created_at: string;
  ended_at: string | null;
  counts: Counts;
}

export interface Test extends TestRow {
  figures: Figures;
  invocations: Invocation[];
}

export interface RunFigures {
  first_token_ms: number | null;
  duration_ms: number | null;
  prompt_tokens: number | null;
  completion_tokens: number | null;
  cost_usd: number | null;
}

export interface Run {
  id: string;
  run_id: string | null;
  test_id: string;
  invocation_id: string;
  original_id: string;
  name: string;
  position: number;
  cycle: number;
  state: RunState;
  outcome: Outcome;
  grading: boolean;
  score: number | null;
  total_points: number | null;
  percentage: number | null;
  passed: boolean | null;
  figures: RunFigures | null;
  error: { code: string; message: string } | null;
}

export interface ToolCall {
  id: string;
  name: string;
  arguments: string;
}

export interface Said {
  id?: string;
  role: "system" | "user" | "assistant" | "tool";
  content: string;
  tool_calls: ToolCall[];
  tool_call_id: string | null;
  matched?: boolean | null;
}

export interface WholeRun extends Run {
  messages: Said[];
  grades: WholeGrade[];
  recording: { id: string; name: string; messages: Said[] };
  room: string;
}
