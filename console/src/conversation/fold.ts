// What the entries of a chat's room add up to; the same as the server's fold of it.

import type { Entry, Fold } from "../rooms";
import type {
  Answer,
  ChatInfo,
  ChatState,
  Criterion,
  Grade,
  Hint,
  Message,
  MessageState,
  Recording,
  Running,
  Source,
  Timer,
  Typing,
  Usage,
} from "./types";

type Data = Record<string, unknown>;
type Step = (state: ChatState, data: Data) => ChatState;

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null);

function emptyChat(): ChatState {
  return {
    chat: null,
    timer: null,
    messages: [],
    typing: null,
    running: null,
    hints: [],
    responses: {},
    grades: [],
    ended: false,
    more: false,
    voice: null,
    notice: null,
  };
}

function start(snapshot: Data): ChatState {
  return {
    ...emptyChat(),
    chat: (snapshot.chat as ChatInfo | undefined) ?? null,
    timer: (snapshot.timer as Timer | undefined) ?? null,
    messages: ((snapshot.messages as Message[] | undefined) ?? []).map(withoutPlace),
    typing: (snapshot.typing as ChatState["typing"] | undefined) ?? null,
    running: (snapshot.running as Running | undefined) ?? null,
    hints: (snapshot.hints as Hint[] | undefined) ?? [],
    responses: (snapshot.responses as Record<string, Answer> | undefined) ?? {},
    grades: (snapshot.grades as Grade[] | undefined) ?? [],
    ended: snapshot.ended === true,
    more: snapshot.more === true,
    voice: textOrNull(snapshot.voice),
  };
}

/** Siblings change as messages come: they are counted where they are shown. */
function withoutPlace(message: Message & { sibling_index?: number; sibling_count?: number }): Message {
  const { sibling_index: _index, sibling_count: _count, ...rest } = message;
  return rest;
}

function userStart(state: ChatState, data: Data): ChatState {
  const typing: Typing = {
    id: text(data.message_id),
    parent_message_id: textOrNull(data.parent_message_id),
  };
  if (data.item_id !== undefined) typing.item_id = text(data.item_id);
  return { ...state, typing };
}

function userComplete(state: ChatState, data: Data): ChatState {
  const begun = state.typing?.id === data.message_id ? state.typing : null;
  const told = begun && begun.item_id === undefined ? begun.parent_message_id : data.parent_message_id;
  const message: Message = {
    id: text(data.message_id),
    role: "user",
    content: text(data.content),
    parent_message_id: textOrNull(told),
    created_at: textOrNull(data.created_at),
    state: "complete",
  };
  if (data.audio !== undefined) message.audio = data.audio as Recording;
  return { ...state, typing: null, messages: [...state.messages, message] };
}

function userDelta(state: ChatState, data: Data): ChatState {
  if (state.typing?.item_id === undefined || state.typing.item_id !== data.item_id) return state;
  const transcript = text(data.transcript);
  return { ...state, typing: transcript ? { ...state.typing, transcript } : null };
}

function audioEnded(state: ChatState): ChatState {
  return { ...state, voice: null, typing: state.typing?.item_id === undefined ? state.typing : null };
}

function assistantStart(state: ChatState, data: Data): ChatState {
  const running: Running = {
    message_id: text(data.message_id),
    parent_message_id: textOrNull(data.parent_message_id),
    created_at: text(data.created_at),
    text: "",
  };
  return { ...state, running, notice: null };
}

function progress(state: ChatState, data: Data): ChatState {
  const { running } = state;
  if (running?.message_id !== data.message_id || data.content_type !== "delta" || !running) return state;
  return { ...state, running: { ...running, text: running.text + text(data.content) } };
}

function sources(state: ChatState, data: Data): ChatState {
  const { running } = state;
  if (!running || running.message_id !== data.message_id) return state;
  return { ...state, running: { ...running, sources: data.sources as Source[] } };
}

function assistantComplete(state: ChatState, data: Data): ChatState {
  const { running } = state;
  const message: Message = {
    id: text(data.message_id),
    role: "assistant",
    content: text(data.content),
    parent_message_id: running?.parent_message_id ?? null,
    created_at: running?.created_at ?? null,
    state: (data.state as MessageState | undefined) ?? "complete",
  };
  if (data.usage !== undefined) message.usage = data.usage as Usage;
  if (running?.sources) message.sources = running.sources;
  if (data.audio !== undefined) message.audio = data.audio as Recording;
  return { ...state, running: null, messages: [...state.messages, message] };
}

function failed(state: ChatState, data: Data): ChatState {
  const next = {
    ...state,
    notice: {
      type: textOrNull(data.type),
      code: text(data.code),
      message: text(data.message),
      message_id: textOrNull(data.message_id),
    },
  };
  if (state.running && data.message_id === state.running.message_id) next.running = null;
  if (data.type !== "grade" || !data.grade_id) return next;
  return withGrade(next, text(data.grade_id), (grade) => ({ ...grade, state: "failed" }));
}

function response(state: ChatState, data: Data): ChatState {
  if (data.success !== true) return state;
  const answer: Answer = {
    id: text(data.response_id),
    option_ids: (data.option_ids as string[] | undefined) ?? [],
    is_correct: data.is_correct === true,
  };
  return { ...state, responses: { ...state.responses, [text(data.question_id)]: answer } };
}

function freshGrade(gradeId: string): Grade {
  return {
    grade_id: gradeId,
    state: "running",
    groups: [],
    strengths: [],
    improvements: [],
    analyses: [],
  };
}

/** Change one grade, which is added when it is new; its place among the others stays. */
function withGrade(state: ChatState, gradeId: string, change: (grade: Grade) => Grade): ChatState {
  const known = state.grades.some((grade) => grade.grade_id === gradeId);
  const grades = known ? state.grades : [...state.grades, freshGrade(gradeId)];
  return {
    ...state,
    grades: grades.map((grade) => (grade.grade_id === gradeId ? change(grade) : grade)),
  };
}

function grading(state: ChatState, data: Data): ChatState {
  const { type, completed_count: _done, total_count: _total, ...entry } = data.entry as Data;
  const gradeId = text(data.grade_id);
  if (type === "start") {
    // also when another process begins it anew
    return withGrade({ ...state, notice: null }, gradeId, () => freshGrade(gradeId));
  }
  const group = entry as unknown as Criterion;
  return withGrade(state, gradeId, (grade) => ({ ...grade, groups: [...grade.groups, group] }));
}

function content(state: ChatState, data: Data): ChatState {
  const kind = text(data.resource_type) as "strengths" | "improvements" | "analyses";
  return withGrade(state, text(data.grade_id), (grade) => ({
    ...grade,
    [kind]: [...(grade[kind] ?? []), data.entry],
  }));
}

function graded(state: ChatState, data: Data): ChatState {
  if (!data.grade_id) return state;
  const told: Data = { state: "done" };
  for (const name of ["score", "total_points", "percentage", "passed"]) {
    if (name in data) told[name] = data[name];
  }
  return withGrade(state, text(data.grade_id), (grade) => ({ ...grade, ...told }));
}

const STEPS: Record<string, Step> = {
  attempt_user_start: userStart,
  attempt_user_delta: userDelta,
  attempt_user_complete: userComplete,
  attempt_audio_ready: (state, data) =>
    data.success ? { ...state, voice: textOrNull(data.session_id) } : state,
  attempt_audio_ended: audioEnded,
  attempt_assistant_start: assistantStart,
  attempt_sources: sources,
  attempt_progress: progress,
  attempt_assistant_complete: assistantComplete,
  attempt_error: failed,
  attempt_hint_progress: (state, data) => ({ ...state, hints: data.hints as Hint[] }),
  attempt_response_result: response,
  attempt_grading_progress: grading,
  attempt_content_progress: content,
  attempt_graded: graded,
  attempt_chat_ended: (state) => ({ ...state, ended: true }),
};

export const chatFold: Fold<ChatState> = {
  start,
  apply(state: ChatState, entry: Entry): ChatState {
    const step = STEPS[entry.name];
    return step ? step(state, entry.data) : state;
  },
};
