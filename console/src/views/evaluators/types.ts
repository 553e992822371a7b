// Evaluators as the REST below /test_framework/v1/ and the room result_{id} carry them.

export const API = "/test_framework/v1";

export type Kind = "aiagents" | "scenarios" | "personalities" | "metrics" | "test-profiles";
export type RunStatus =
  | "running"
  | "in_progress"
  | "pending"
  | "completed"
  | "failed"
  | "cancelled"
  | "timeout";
export type ResultStatus = Exclude<RunStatus, "timeout">;

/** Something that an author keeps: its fields are those of its kind. */
export interface Kept {
  id: number;
  [field: string]: unknown;
}

export interface ResultView {
  run_as_text: boolean;
  id: number;
  name: string;
  agent: number;
  status: ResultStatus;
  success_rate: number;
  freq: number;
  concurrency_limit: number | null;
  total_runs_count: number;
  completed_runs_count: number;
  success_runs_count: number;
  failed_runs_count: number;
  simulator_errors_count: number;
  pass_hat_k: number[] | null;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
  room: string;
  runs?: Record<string, RunView>;
}

/** A run without what was said and thought. */
export interface RunView {
  id: number;
  scenario: number;
  scenario_name: string;
  personality: number | null;
  test_profile: number | null;
  number: number | null;
  status: RunStatus;
  success: boolean | null;
  has_simulator_error: boolean;
  attempt: number;
  duration: string | null;
  error_message: string | null;
  ended_at: string | null;
}

export interface Item {
  role: "Testing Agent" | "Main Agent" | "Function Call" | "Function Call Result";
  content: string;
  start_time: number;
  end_time: number;
  time: string;
  data?: Record<string, unknown>;
}

export interface MetricValue {
  id: number | null;
  name: string;
  type: string;
  eval_type: string;
  value: boolean | number | string | null;
  explanation: string;
  passed: boolean | null;
  error: string | null;
}

export interface ExpectedOutcome {
  score: number;
  passed: boolean;
  pass_score: number;
  outcomes: { outcome: string; met: boolean; explanation: string }[];
}

/** A run with all that was said and thought. */
export interface WholeRun extends RunView {
  transcript_object: Item[];
  evaluation: { metrics: MetricValue[] };
  expected_outcome: ExpectedOutcome | null;
  simulator_error: string | null;
  metadata: Record<string, unknown> & { ended_reason?: string };
  judge_model: string | null;
  judge_reliable: boolean | null;
  recording_url?: string | null;
}

/** Something said in a run that goes on. */
export interface Turn {
  index: number;
  role: Item["role"];
  content: string;
  start_time: number;
  data?: Record<string, unknown>;
}
