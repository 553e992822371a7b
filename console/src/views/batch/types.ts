// Batch jobs as the REST and the room batch_{job_id} carry them.

export type Verdict = "Passed" | "Failed" | "Error";
export type JobStatus = "queued" | "running" | "completed" | "cancelled" | "failed";

export interface Job {
  job_id: string;
  name: string;
  version: string;
  status: JobStatus;
  created_at: string;
  started_on: string | null;
  completed_on: string | null;
  total_runs: number;
  results: number;
  passed: number;
  failed: number;
  errors: number;
  cancelling: boolean;
  room: string;
}

export interface JobWithSummary extends Job {
  summary: { error: { code: string; message: string } | null } | null;
}

/** What a run came to, in short: what the matrix needs of it. */
export interface Brief {
  index: number;
  permutation_name: string;
  test_case_name: string;
  language: string;
  verdict: Verdict;
  match_score: number;
  response_time_sec: number;
  total_llm_tokens_used: number;
  llm_api_cost: number;
}

export interface Operation {
  plugin_name: string | null;
  plugin_operation: string;
  method: string | null;
  parameters: Record<string, unknown>;
}

/** What a run came to, whole. */
export interface Result extends Brief {
  permutation_summary: string;
  test_type: CaseType;
  is_run_completed: boolean;
  prompt: string;
  source_prompt: string;
  final_output: string | null;
  is_plugin_detected: boolean;
  is_plugin_operation_found: boolean;
  is_plugin_parameter_mapped: boolean;
  is_method_matched: boolean;
  plugin_name: string | null;
  plugin_operation: string | null;
  plugin_parameters_mapped: Record<string, unknown> | null;
  parameter_mapped_percentage: number;
  detected: Operation[];
  error: { code: string; message: string } | null;
  ignored: string[];
  cached_calls: number;
  answered_by: string | null;
}

export type CaseType = "plugin_selector" | "api_signature_selector";
export type ParameterMatch = "exact" | "loose" | "bfcl";

export interface TestCase {
  name: string;
  type: CaseType;
  prompt: string;
  expected_plugin_used?: string | null;
  expected_api_used?: string | null;
  expected_method?: string | null;
  expected_parameters?: Record<string, unknown> | null;
  plugin_group_name?: string | null;
}

/** The parts of a job's request that the page reads; it may hold more. */
export interface JobRequest {
  name: string;
  permutations: { name: string }[];
  test_cases: TestCase[];
  config?: { auto_translate_to_languages?: string[]; source_language?: string };
}

/** The address of a job. */
export function jobAt(id: string): string {
  return `/api/jobs/${encodeURIComponent(id)}`;
}
