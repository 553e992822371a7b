// What an attempt's room tells of a chat, as snapshots and entries spell it.

export type Role = "user" | "assistant";
export type MessageState = "complete" | "stopped" | "interrupted" | "failed";

/** How a message sounded. */
export interface Recording {
  id: string;
  ms: number;
  rate: number;
}

export interface Source {
  document_id: string;
  chunk_id: string;
  score: number;
  excerpt: string;
  document?: string | null;
}

export interface Usage {
  prompt_tokens?: number | null;
  completion_tokens?: number | null;
  cost_usd?: number | null;
  first_token_ms?: number | null;
  duration_ms?: number | null;
  finish_reason?: string | null;
  truncated?: boolean | null;
}

export interface Message {
  id: string;
  role: Role;
  content: string;
  parent_message_id: string | null;
  created_at: string | null;
  state: MessageState;
  usage?: Usage | null;
  sources?: Source[] | null;
  audio?: Recording | null;
}

/** A message that is being written or said; `transcript` is what was understood so far. */
export interface Typing {
  id: string;
  parent_message_id: string | null;
  item_id?: string;
  transcript?: string;
}

/** A reply that is being written. */
export interface Running {
  message_id: string;
  parent_message_id: string | null;
  created_at: string;
  text: string;
  sources?: Source[];
}

export interface Hint {
  hint: string;
  message_id: string;
  idx: number;
}

export interface Answer {
  id: string;
  option_ids: string[];
  is_correct: boolean;
}

export interface Quote {
  message_id: string;
  text: string;
}

/** What one criterion was given; a whole grade adds the names and limits. */
export interface Criterion {
  standard_group_id: string;
  standard_id: string | null;
  points: number;
  feedback: string;
  quotes: Quote[];
  name?: string;
  total_points?: number;
  pass_points?: number;
  passed?: boolean;
  dropped_quotes?: number;
}

export interface Strength {
  name: string;
  description: string;
  message_id: string | null;
  highlights: { section: string; idx: number }[];
}

export interface Improvement {
  name: string;
  description: string;
  message_id: string | null;
  replacements: { section: string; replace: string; idx: number }[];
}

/** A grade as the events have told it so far. */
export interface Grade {
  grade_id: string;
  state: "running" | "done" | "failed";
  groups: Criterion[];
  strengths: Strength[];
  improvements: Improvement[];
  analyses: { content: string }[];
  score?: number;
  total_points?: number;
  percentage?: number;
  passed?: boolean;
}

export interface Judge {
  model: string;
  points: Record<string, number>;
  reliable: boolean;
  note: string;
}

/** A grade as it is read back: GET /api/v1/grades/{id}. */
export interface WholeGrade {
  grade_id: string;
  chat_id: string;
  score: number;
  total_points: number;
  pass_points: number;
  percentage: number;
  passed: boolean;
  description: string;
  time_taken: number;
  groups: Criterion[];
  judges: Judge[];
  agreement: number | null;
  strengths: Strength[];
  improvements: Improvement[];
  analyses: string[];
  created_at: string;
}

export interface Standard {
  id: string;
  name: string;
  level: number;
  points: number;
  description: string;
}

export interface Rubric {
  id: string;
  name: string;
  description: string;
  points: number;
  pass_points: number;
  groups: {
    id: string;
    name: string;
    description: string;
    points: number;
    pass_points: number;
    standards: Standard[];
  }[];
}

export interface Media {
  id: string;
  name: string;
  url: string;
  text: string;
}

export interface Question {
  id: string;
  text: string;
  video_id: string | null;
  at_seconds: number | null;
  allow_multiple: boolean;
  options: { id: string; text: string }[];
}

export interface Template {
  time_limit: number | null;
  negative_time: boolean;
  text_enabled: boolean;
  audio_enabled: boolean;
  copy_paste_allowed: boolean;
  show_images: boolean;
  show_objectives: boolean;
  show_problem_statement: boolean;
  problem_statement_enabled: boolean;
  objectives_enabled: boolean;
  hints_enabled: boolean;
  video_enabled: boolean;
  images_enabled: boolean;
  questions_enabled: boolean;
  use_custom: boolean;
  use_previous: boolean;
}

export interface Scenario {
  id: string;
  name: string;
  description: string;
  problem_statement: string;
  objectives: string[];
  images: Media[];
  videos: Media[];
  questions: Question[];
  template: Template;
}

export interface Persona {
  id: string;
  name: string;
  description: string;
  color: string | null;
  icon: string | null;
}

export interface Document {
  id: string;
  name: string;
  description: string;
  text: string;
  fields?: { name: string; value: string }[];
  images?: Media[];
}

/** What is fixed when a chat is made. */
export interface ChatInfo {
  chat_id: string;
  attempt_id: string;
  chat_entry_id: string;
  created_at: string;
  template: Template;
  scenario: Scenario;
  persona: Persona;
  documents: Document[];
  rubric_id: string | null;
}

export interface Timer {
  limit: number | null;
  elapsed: number;
  exceeded: boolean;
  negative: boolean;
}

/** The last thing that failed in the room, until the next reply or grade begins. */
export interface Notice {
  type: string | null;
  code: string;
  message: string;
  message_id: string | null;
}

export interface ChatState {
  chat: ChatInfo | null;
  timer: Timer | null;
  messages: Message[];
  /** A message of which only the beginning was told. */
  typing: Typing | null;
  running: Running | null;
  hints: Hint[];
  responses: Record<string, Answer>;
  /** In the order in which they began; the last one that is done counts. */
  grades: Grade[];
  ended: boolean;
  /** There are older messages or grades that the snapshot had no room for. */
  more: boolean;
  /** The voice session that goes on. */
  voice: string | null;
  notice: Notice | null;
}
