// Made from the schemas by: python -m server docs

export interface ArtifactTypeItem {
  name: string;
  operation: "get" | "list" | "duplicate" | "delete" | "draft" | "save" | "docs" | "export" | "refresh" | "create";
}

export interface AttemptAssistantAudio {
  chat_id: string;
  content_type: "delta" | "audio";
  content?: string | null;
  audio?: ArrayBuffer | null;
  message_id?: string | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptAssistantComplete {
  chat_id: string;
  message_id: string;
  content?: string | null;
  usage?: Usage | null;
  state?: "complete" | "stopped" | "interrupted" | "failed" | null;
  audio?: Recording | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptAssistantStart {
  chat_id: string;
  message_id: string;
  created_at: string;
  parent_message_id?: string | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptAudioEnded {
  chat_id: string;
  success: boolean;
  message?: string | null;
  session_id?: string | null;
  dropped_frames?: number | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptAudioFrame {
  chat_id: string;
  audio: ArrayBuffer;
}

export interface AttemptAudioMute {
  client_event_id?: string | null;
  chat_id: string;
  muted: boolean;
}

export interface AttemptAudioReady {
  chat_id: string;
  success: boolean;
  message?: string | null;
  session_id?: string | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptAudioStart {
  client_event_id?: string | null;
  chat_id: string;
}

export interface AttemptAudioStop {
  client_event_id?: string | null;
  chat_id: string;
  end_reason?: string;
}

export interface AttemptChatEnded {
  chat_id: string;
  is_attempt_finished?: boolean | null;
  grade_id?: string | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptChatStarted {
  attempt_id: string;
  chat_id: string;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptContentProgress {
  chat_id: string;
  grade_id?: string | null;
  resource_type?: "feedbacks" | "strengths" | "improvements" | "analyses" | "highlights" | "replacements" | null;
  entry?: Record<string, unknown> | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptEnd {
  client_event_id?: string | null;
  attempt_id: string;
  chat_id: string;
  grade?: boolean;
}

export interface AttemptEndAll {
  client_event_id?: string | null;
  attempt_id: string;
}

export interface AttemptEnded {
  attempt_id: string;
  success: boolean;
  all_scenarios_complete?: boolean;
  message?: string | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptError {
  chat_id?: string | null;
  type?: "start" | "next" | "proceed" | "end" | "join" | "send" | "stop" | "grade" | "quiz" | "audio" | "rate_limit" | null;
  message: string;
  code: string;
  message_id?: string | null;
  grade_id?: string | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptGrade {
  client_event_id?: string | null;
  attempt_id: string;
  chat_id?: string | null;
  resource_types?: ("feedbacks" | "strengths" | "improvements" | "analyses" | "highlights" | "replacements")[] | null;
  user_instructions?: string[] | null;
}

export interface AttemptGraded {
  chat_id: string;
  grade_id?: string | null;
  score?: number | null;
  total_points?: number | null;
  percentage?: number | null;
  passed?: boolean | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptGradingProgress {
  chat_id: string;
  grade_id?: string | null;
  resource_type?: "feedbacks" | "strengths" | "improvements" | "analyses" | "highlights" | "replacements" | null;
  entry?: Record<string, unknown> | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptHintProgress {
  chat_id: string;
  hints: Record<string, unknown>[];
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptJoin {
  chat_id: string;
  after?: number | null;
  epoch?: string | null;
  audio?: boolean;
}

export interface AttemptJoined {
  chat_id: string;
  success: boolean;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptLeave {
  chat_id: string;
}

export interface AttemptMessage {
  client_event_id?: string | null;
  attempt_id: string;
  chat_id: string;
  message: string;
  parent_message_id?: string | null;
}

export interface AttemptNext {
  client_event_id?: string | null;
  attempt_id: string;
  draft_id?: string | null;
}

export interface AttemptProgress {
  chat_id: string;
  content_type: "delta" | "audio";
  content?: string | null;
  audio?: ArrayBuffer | null;
  message_id?: string | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptResponseResult {
  success: boolean;
  message?: string | null;
  is_correct?: boolean | null;
  response_id?: string | null;
  chat_id?: string | null;
  question_id?: string | null;
  option_ids?: string[] | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptResponseSubmit {
  client_event_id?: string | null;
  chat_id: string;
  question_id: string;
  option_ids: string[];
}

export interface AttemptSources {
  chat_id: string;
  message_id: string;
  sources: Source[];
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptStart {
  client_event_id?: string | null;
  home_id?: string | null;
  practice_id?: string | null;
  infinite_mode?: boolean;
}

export interface AttemptStarted {
  attempt_id: string;
  chat_entry_id: string;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptStop {
  client_event_id?: string | null;
  chat_id: string;
}

export interface AttemptStopped {
  chat_id: string;
  success: boolean;
  message?: string | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptUsePrevious {
  client_event_id?: string | null;
  attempt_id: string;
  previous_chat_map: Record<string, string | null>;
}

export interface AttemptUserAudio {
  chat_id: string;
  content_type: "delta" | "audio";
  content?: string | null;
  audio?: ArrayBuffer | null;
  message_id?: string | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptUserComplete {
  chat_id: string;
  message_id: string;
  content: string;
  created_at: string;
  item_id?: string | null;
  parent_message_id?: string | null;
  audio?: Recording | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptUserDelta {
  chat_id: string;
  item_id: string;
  transcript: string;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AttemptUserStart {
  chat_id: string;
  message_id: string;
  created_at: string;
  item_id?: string | null;
  parent_message_id?: string | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface AuthExpired {
  room?: string;
  offset?: number;
  at?: number;
}

export interface AuthRefresh {
  token: string;
}

export interface BatchEnded {
  job_id: string;
  status: "completed" | "cancelled" | "failed";
  total_runs: number;
  results: number;
  overall_accuracy: number;
  total_llm_tokens_used: number;
  total_llm_api_cost: number;
  code?: "bad_request" | "unauthenticated" | "forbidden" | "not_found" | "conflict" | "gone" | "too_large" | "rate_limited" | "internal" | "upstream" | "unavailable" | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface BatchResultStored {
  job_id: string;
  index: number;
  permutation_name: string;
  test_case_name: string;
  language: string;
  verdict: "Passed" | "Failed" | "Error";
  match_score: number;
  response_time_sec: number;
  total_llm_tokens_used: number;
  llm_api_cost: number;
  code?: "bad_request" | "unauthenticated" | "forbidden" | "not_found" | "conflict" | "gone" | "too_large" | "rate_limited" | "internal" | "upstream" | "unavailable" | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface BatchStarted {
  job_id: string;
  name: string;
  total_runs: number;
  results: number;
  permutations: string[];
  languages: string[];
  started_on: string;
  room?: string;
  offset?: number;
  at?: number;
}

export interface Connect {
  token?: string | null;
  guest_id?: string | null;
  recovery?: boolean | null;
}

export interface ConnectionConfirmed {
  sid: string;
  profile_id?: string | null;
  guest_id?: string | null;
  server_time: number;
  role: "learner" | "author" | "ops" | "admin";
  protocol?: number;
  epoch: string;
  recovered?: boolean | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface Disconnect {
}

export interface EntryTypeItem {
  name: string;
  operation: "get" | "search" | "docs" | "create" | "refresh";
}

export interface ExtraMessage {
  role: "user" | "assistant";
  content: string;
}

export interface Generate {
  client_event_id?: string | null;
  artifact_types: ArtifactTypeItem[];
  artifact_id?: string | null;
  draft_id?: string | null;
  resource_types: (ResourceTypeItem | string)[];
  entry_types?: EntryTypeItem[] | null;
  user_instructions?: string[] | null;
  save?: boolean;
  run_id?: string | null;
  group_id?: string | null;
  modality?: "call" | "audio";
  extra_messages?: ExtraMessage[] | null;
  metadata?: Record<string, unknown> | null;
}

export interface GenerationComplete {
  artifact_type: string;
  group_id: string;
  run_id: string;
  success?: boolean;
  message?: string;
  artifact_id?: string | null;
  metadata?: Record<string, unknown> | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface GenerationError {
  artifact_type: string;
  group_id?: string | null;
  resource_type?: string | null;
  resource_types?: string[] | null;
  resource_id?: string | null;
  run_id?: string | null;
  success?: boolean;
  message: string;
  code: "bad_request" | "unauthenticated" | "forbidden" | "not_found" | "conflict" | "gone" | "too_large" | "rate_limited" | "internal" | "upstream" | "unavailable";
  room?: string;
  offset?: number;
  at?: number;
}

export interface GenerationProgress {
  artifact_type: string;
  group_id: string;
  run_id: string;
  completed_resources: number;
  total_resources: number;
  percentage: number;
  last_completed_resource: string;
  resource?: Record<string, unknown> | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface GenerationSaved {
  artifact_type: string;
  group_id: string;
  run_id: string;
  artifact_id?: string | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface OpsBeat {
  process: string;
  connections: number;
  replies_running: number;
  deltas_per_s: number;
  deliveries_per_s: number;
  jobs: number;
  errors: number;
  loop_lag_ms: number;
  waiting?: OpsWaiting | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface OpsEntry {
  kind: "attempt" | "test" | "batch" | "evaluator" | "generation" | "playground";
  id: string | number;
  subject_room: string;
  phase: "started" | "ended" | "error";
  owner: Owner;
  code?: "bad_request" | "unauthenticated" | "forbidden" | "not_found" | "conflict" | "gone" | "too_large" | "rate_limited" | "internal" | "upstream" | "unavailable" | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface OpsWaiting {
  test?: number;
  batch?: number;
  evaluator?: number;
  index?: number;
}

export interface Owner {
  kind: "profile" | "guest";
  id: string;
}

export interface PlaygroundComplete {
  session_id: string;
  message_id: string;
  content: string;
  usage?: Usage | null;
  state?: "complete" | "stopped" | "interrupted" | "failed";
  reasoning?: string | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface PlaygroundError {
  session_id?: string | null;
  message: string;
  code: "bad_request" | "unauthenticated" | "forbidden" | "not_found" | "conflict" | "gone" | "too_large" | "rate_limited" | "internal" | "upstream" | "unavailable";
  message_id?: string | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface PlaygroundForgotten {
  session_id: string;
  room?: string;
  offset?: number;
  at?: number;
}

export interface PlaygroundJoin {
  pipeline_id: string;
  after?: number | null;
  epoch?: string | null;
}

export interface PlaygroundMessage {
  client_event_id?: string | null;
  pipeline_id: string;
  message: string;
}

export interface PlaygroundProgress {
  session_id: string;
  message_id: string;
  content: string;
  room?: string;
  offset?: number;
  at?: number;
}

export interface PlaygroundSources {
  session_id: string;
  message_id: string;
  sources: Source[];
  mode: string;
  rerank: string;
  room?: string;
  offset?: number;
  at?: number;
}

export interface PlaygroundStop {
  client_event_id?: string | null;
  pipeline_id: string;
}

export interface PlaygroundUpdated {
  session_id: string;
  llm_params?: Record<string, unknown> | null;
  retrieval_params?: Record<string, unknown> | null;
  chat_messages?: Record<string, unknown>[] | null;
  more?: boolean | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface PlaygroundUserComplete {
  session_id: string;
  message_id: string;
  content: string;
  assistant_message_id: string;
  room?: string;
  offset?: number;
  at?: number;
}

export interface Recording {
  id: string;
  ms: number;
  rate?: number;
}

export interface ReplayEnd {
  room: string;
  offset: number;
  at?: number;
}

export interface ReplayEntry {
  room: string;
  offset: number;
  at: number;
  name: string;
  data: Record<string, unknown>;
}

export interface ResourceTypeItem {
  name: string;
  operation: "get" | "create" | "link" | "search" | "docs";
}

export interface ResultEnded {
  result_id: number;
  status: "running" | "in_progress" | "pending" | "completed" | "failed" | "cancelled";
  success_rate: number;
  total_runs: number;
  completed_runs: number;
  success_runs: number;
  failed_runs: number;
  simulator_errors: number;
  pass_hat_k?: number[] | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface ResultStarted {
  result_id: number;
  name: string;
  agent: number;
  total_runs: number;
  run_as_text: boolean;
  started_at: string;
  room?: string;
  offset?: number;
  at?: number;
}

export interface RoomJoin {
  room: string;
  after?: number | null;
  epoch?: string | null;
  audio?: boolean;
}

export interface RoomLeave {
  room: string;
}

export interface RoomReplay {
  room: string;
  from?: number | null;
  to?: number | null;
  speed: number;
}

export interface RoomReplayStop {
  room: string;
}

export interface RoomReset {
  room: string;
  epoch: string;
  offset: number;
  snapshot: Record<string, unknown>;
  at?: number;
}

export interface RunAudio {
  result_id: number;
  run_id: number;
  audio: ArrayBuffer;
  room?: string;
  offset?: number;
  at?: number;
}

export interface RunEnded {
  result_id: number;
  run_id: number;
  scenario: number;
  status: "running" | "in_progress" | "pending" | "completed" | "failed" | "cancelled" | "timeout";
  success?: boolean | null;
  ended_reason?: "Testing agent-ended-call" | "Main agent-ended-call" | "Main agent-silence-timed-out" | "exceeded-max-duration" | "exceeded-max-turns" | "run-cancelled-by-user" | "Main agent-call-not-connected" | "Testing agent-failed" | null;
  expected_outcome?: number | null;
  simulator_error?: string | null;
  error_message?: string | null;
  duration: number;
  judged?: number;
  room?: string;
  offset?: number;
  at?: number;
}

export interface RunStarted {
  result_id: number;
  run_id: number;
  scenario: number;
  scenario_name: string;
  number?: number | null;
  attempt: number;
  room?: string;
  offset?: number;
  at?: number;
}

export interface RunTurn {
  result_id: number;
  run_id: number;
  attempt: number;
  index: number;
  role: "Testing Agent" | "Main Agent" | "Function Call" | "Function Call Result";
  content: string;
  start_time: number;
  end_time: number;
  data?: Record<string, unknown> | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface ServerDraining {
  reconnect_in: number;
  room?: string;
  offset?: number;
  at?: number;
}

export interface Source {
  document_id: string;
  chunk_id: string;
  score: number;
  excerpt: string;
  document?: string | null;
}

export interface TestAllComplete {
  invocation_id: string;
  total_runs: number;
  success: boolean;
  cycle: number;
  room?: string;
  offset?: number;
  at?: number;
}

export interface TestEnd {
  client_event_id?: string | null;
  test_id: string;
  test_invocation_id: string;
  run_id: string;
  grade?: boolean;
}

export interface TestEndAll {
  client_event_id?: string | null;
  test_id: string;
}

export interface TestError {
  invocation_id?: string | null;
  run_id?: string | null;
  message: string;
  error_type?: "auth" | "validation" | "context" | "prepare" | "run" | "proceed" | "end" | "stop" | "internal" | null;
  code: string;
  room?: string;
  offset?: number;
  at?: number;
}

export interface TestGraded {
  invocation_id: string;
  grade_id?: string | null;
  score?: number | null;
  passed?: boolean | null;
  feedback?: string | null;
  run_id?: string | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface TestGroup {
  client_event_id?: string | null;
  test_id: string;
  test_invocation_id: string;
  prev_run_id?: string | null;
}

export interface TestJoin {
  invocation_id: string;
  after?: number | null;
  epoch?: string | null;
}

export interface TestJoined {
  invocation_id: string;
  success?: boolean;
  room?: string;
  offset?: number;
  at?: number;
}

export interface TestLeave {
  invocation_id: string;
}

export interface TestNext {
  client_event_id?: string | null;
  test_id: string;
}

export interface TestProgress {
  invocation_id: string;
  type: "user_turn" | "assistant_delta" | "assistant_turn" | "tool_call" | "judge" | "sources";
  run_id?: string | null;
  current_run?: number | null;
  total_runs?: number | null;
  message?: string | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface TestRun {
  client_event_id?: string | null;
  test_id: string;
  test_invocation_id: string;
  run_id: string;
  claim?: string | null;
}

export interface TestRunComplete {
  invocation_id: string;
  run_id: string;
  original_run_resource_id?: string | null;
  tool_calls?: number | null;
  current_run: number;
  total_runs: number;
  remaining_runs: number;
  room?: string;
  offset?: number;
  at?: number;
}

export interface TestRunStart {
  invocation_id: string;
  run_id: string;
  original_run_resource_id?: string | null;
  current_run: number;
  total_runs: number;
  created_at: string;
  room?: string;
  offset?: number;
  at?: number;
}

export interface TestStart {
  client_event_id?: string | null;
  benchmark_id: string;
  infinite_mode?: boolean;
}

export interface TestStarted {
  test_id: string;
  room?: string;
  offset?: number;
  at?: number;
}

export interface TestStop {
  client_event_id?: string | null;
  invocation_id: string;
}

export interface TestStopped {
  invocation_id: string;
  success?: boolean;
  message?: string | null;
  run_ids?: string[] | null;
  room?: string;
  offset?: number;
  at?: number;
}

export interface Usage {
  prompt_tokens?: number;
  completion_tokens?: number;
  cost_usd?: number | null;
  first_token_ms?: number | null;
  duration_ms?: number;
  finish_reason?: string;
  truncated?: boolean | null;
}

export interface ClientEvents {
  connect: Connect;
  disconnect: Disconnect;
  generate: Generate;
  attempt_start: AttemptStart;
  attempt_next: AttemptNext;
  attempt_join: AttemptJoin;
  attempt_leave: AttemptLeave;
  attempt_message: AttemptMessage;
  attempt_stop: AttemptStop;
  attempt_end: AttemptEnd;
  attempt_end_all: AttemptEndAll;
  attempt_grade: AttemptGrade;
  attempt_response_submit: AttemptResponseSubmit;
  attempt_use_previous: AttemptUsePrevious;
  attempt_audio_start: AttemptAudioStart;
  attempt_audio_stop: AttemptAudioStop;
  test_start: TestStart;
  test_next: TestNext;
  test_run: TestRun;
  test_end: TestEnd;
  test_join: TestJoin;
  test_leave: TestLeave;
  test_stop: TestStop;
  auth_refresh: AuthRefresh;
  attempt_audio_frame: AttemptAudioFrame;
  attempt_audio_mute: AttemptAudioMute;
  test_group: TestGroup;
  test_end_all: TestEndAll;
  room_join: RoomJoin;
  room_leave: RoomLeave;
  room_replay: RoomReplay;
  room_replay_stop: RoomReplayStop;
  playground_join: PlaygroundJoin;
  playground_message: PlaygroundMessage;
  playground_stop: PlaygroundStop;
}

export interface ServerEvents {
  connection_confirmed: ConnectionConfirmed;
  attempt_started: AttemptStarted;
  attempt_chat_started: AttemptChatStarted;
  attempt_chat_ended: AttemptChatEnded;
  attempt_ended: AttemptEnded;
  attempt_error: AttemptError;
  attempt_graded: AttemptGraded;
  attempt_joined: AttemptJoined;
  attempt_stopped: AttemptStopped;
  attempt_response_result: AttemptResponseResult;
  attempt_assistant_start: AttemptAssistantStart;
  attempt_assistant_complete: AttemptAssistantComplete;
  attempt_progress: AttemptProgress;
  attempt_assistant_audio: AttemptAssistantAudio;
  attempt_user_start: AttemptUserStart;
  attempt_user_complete: AttemptUserComplete;
  attempt_user_delta: AttemptUserDelta;
  attempt_audio_ready: AttemptAudioReady;
  attempt_audio_ended: AttemptAudioEnded;
  attempt_content_progress: AttemptContentProgress;
  attempt_grading_progress: AttemptGradingProgress;
  attempt_hint_progress: AttemptHintProgress;
  test_started: TestStarted;
  test_joined: TestJoined;
  test_run_start: TestRunStart;
  test_run_complete: TestRunComplete;
  test_progress: TestProgress;
  test_graded: TestGraded;
  test_error: TestError;
  test_stopped: TestStopped;
  generation_progress: GenerationProgress;
  generation_saved: GenerationSaved;
  generation_complete: GenerationComplete;
  generation_error: GenerationError;
  auth_expired: AuthExpired;
  server_draining: ServerDraining;
  attempt_sources: AttemptSources;
  attempt_user_audio: AttemptUserAudio;
  test_all_complete: TestAllComplete;
  batch_started: BatchStarted;
  batch_result: BatchResultStored;
  batch_ended: BatchEnded;
  result_started: ResultStarted;
  run_started: RunStarted;
  run_turn: RunTurn;
  run_audio: RunAudio;
  run_ended: RunEnded;
  result_ended: ResultEnded;
  playground_updated: PlaygroundUpdated;
  playground_user_complete: PlaygroundUserComplete;
  playground_sources: PlaygroundSources;
  playground_progress: PlaygroundProgress;
  playground_complete: PlaygroundComplete;
  playground_error: PlaygroundError;
  playground_forgotten: PlaygroundForgotten;
  room_reset: RoomReset;
  replay_entry: ReplayEntry;
  replay_end: ReplayEnd;
  ops_entry: OpsEntry;
  ops_beat: OpsBeat;
}
