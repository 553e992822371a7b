/** The room of a playground session: what its entries add up to. Pure; mirrors the server's snapshot. */

import type { Entry, Fold } from "../../rooms";
import type { Settings, Source } from "./types";

export type State = "complete" | "stopped" | "interrupted" | "failed";

export interface Message {
  id: string;
  role: string;
  content: string;
  state: State;
  sources?: Source[];
  reasoning?: string;
  usage?: { completion_tokens?: number; duration_ms?: number; first_token_ms?: number | null };
}

export interface Running {
  message_id: string;
  text: string;
  sources?: Source[];
  mode?: string;
  rerank?: string;
}

export interface Fault {
  message_id: string;
  message: string;
  code: string;
}

export interface Chat {
  settings: Partial<Settings>;
  messages: Message[];
  more: boolean;
  running: Running | null;
  failure: Fault | null;
  forgotten: boolean;
}

type Data = Record<string, unknown>;

function started(snapshot: Data): Chat {
  return {
    settings: settingsIn(snapshot, {}),
    messages: (snapshot.messages as Message[] | undefined) ?? [],
    more: snapshot.more === true,
    running: (snapshot.running as Running | undefined) ?? null,
    failure: null,
    forgotten: snapshot.forgotten === true,
  };
}

function settingsIn(data: Data, before: Partial<Settings>): Partial<Settings> {
  const found = { ...before };
  if (data.llm_params) found.llm_params = data.llm_params as Settings["llm_params"];
  if (data.retrieval_params) found.retrieval_params = data.retrieval_params as Settings["retrieval_params"];
  return found;
}

/** The answer under way, if that is what an entry tells of. */
function runningIn(chat: Chat, data: Data): Running | null {
  return chat.running && chat.running.message_id === data.message_id ? chat.running : null;
}

function updated(chat: Chat, data: Data): Chat {
  const replaced = data.chat_messages as Message[] | undefined;
  return {
    ...chat,
    settings: settingsIn(data, chat.settings),
    messages: replaced ?? chat.messages,
    more: replaced ? data.more === true : chat.more,
  };
}

function asked(chat: Chat, data: Data): Chat {
  const message: Message = {
    id: String(data.message_id),
    role: "user",
    content: String(data.content),
    state: "complete",
  };
  const running = { message_id: String(data.assistant_message_id), text: "" };
  return { ...chat, messages: [...chat.messages, message], running, failure: null };
}

function sourced(chat: Chat, data: Data): Chat {
  const running = runningIn(chat, data);
  if (!running) return chat;
  const sources = data.sources as Source[];
  return { ...chat, running: { ...running, sources, mode: String(data.mode), rerank: String(data.rerank) } };
}

function progressed(chat: Chat, data: Data): Chat {
  const running = runningIn(chat, data);
  return running ? { ...chat, running: { ...running, text: running.text + String(data.content) } } : chat;
}

function completed(chat: Chat, data: Data): Chat {
  const message: Message = {
    id: String(data.message_id),
    role: "assistant",
    content: String(data.content),
    state: (data.state as State | undefined) ?? "complete",
  };
  const sources = runningIn(chat, data)?.sources;
  if (sources) message.sources = sources;
  if (data.reasoning) message.reasoning = String(data.reasoning);
  if (data.usage) message.usage = data.usage as NonNullable<Message["usage"]>;
  return { ...chat, messages: [...chat.messages, message], running: null };
}

function failed(chat: Chat, data: Data): Chat {
  if (!data.message_id) return chat;
  const failure = {
    message_id: String(data.message_id),
    message: String(data.message),
    code: String(data.code),
  };
  return { ...chat, running: runningIn(chat, data) ? null : chat.running, failure };
}

function forgotten(): Chat {
  return { ...started({}), forgotten: true };
}

const STEPS: Record<string, (chat: Chat, data: Data) => Chat> = {
  playground_updated: updated,
  playground_user_complete: asked,
  playground_sources: sourced,
  playground_progress: progressed,
  playground_complete: completed,
  playground_error: failed,
  playground_forgotten: forgotten,
};

export const CHAT: Fold<Chat> = {
  start: started,
  apply(chat: Chat, entry: Entry): Chat {
    const step = STEPS[entry.name];
    return step && !chat.forgotten ? step(chat, entry.data) : chat;
  },
};
