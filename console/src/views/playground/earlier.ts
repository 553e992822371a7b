/** Messages before those that the room's snapshot holds. */

import { get } from "../../rest";
import type { Message, State } from "./fold";
import { pipelineAt } from "./types";

interface Kept {
  id: string;
  role: string;
  content: string | null;
  annotations: { type: string; data: string }[];
}

/** Read the whole conversation, and return what comes before a message. */
export async function earlierThan(pipelineId: string, first: string | undefined): Promise<Message[]> {
  const { chat_messages } = await get<{ chat_messages: Kept[] }>(
    pipelineAt(pipelineId, "playground-session"),
  );
  const until = chat_messages.findIndex((message) => message.id === first);
  return chat_messages.slice(0, until < 0 ? undefined : until).map(messageOf);
}

function messageOf(kept: Kept): Message {
  const notes = Object.fromEntries(kept.annotations.map(({ type, data }) => [type, JSON.parse(data)]));
  const message: Message = {
    id: kept.id,
    role: kept.role,
    content: kept.content ?? "",
    state: (notes.state as State | undefined) ?? "complete",
  };
  for (const name of ["sources", "reasoning", "usage"] as const) {
    if (name in notes) message[name] = notes[name];
  }
  return message;
}
