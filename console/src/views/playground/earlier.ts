/** Messages before those that the room's snapshot holds. */

import { useEffect, useState } from "preact/hooks";
import { get } from "../../rest";
import type { Chat, Message, State } from "./fold";
import { pipelineAt } from "./types";

interface Kept {
  id: string;
  role: string;
  content: string | null;
  annotations: { type: string; data: string }[];
}

export interface Earlier {
  messages: Message[];
  error: Error | null;
  reading: boolean;
  /** Read what comes before the room's; null when nothing does, or it is shown already. */
  show: (() => void) | null;
}

/**
 * Put what was said earlier before what the room tells.
 *
 * What was read belongs to the message before which it stands. A fresh snapshot, and a conversation that
 * replaces another, begin with a message of their own: what was read does not join there, and is read anew.
 */
export function useEarlier(pipelineId: string, chat: Chat): Earlier {
  const [wanted, setWanted] = useState(false);
  const [read, setRead] = useState<{ before: Message; messages: Message[] } | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const first = chat.more ? chat.messages[0] : undefined;
  const joins = first !== undefined && read?.before === first;

  useEffect(() => {
    if (!wanted || !first) return;
    const abort = new AbortController();
    earlierThan(pipelineId, first.id, abort.signal).then(
      (messages) => abort.signal.aborted || setRead({ before: first, messages }),
      (reason) => {
        if (abort.signal.aborted) return;
        setError(reason);
        setWanted(false);
      },
    );
    return () => abort.abort();
  }, [wanted, first, pipelineId]);

  function show(): void {
    setError(null);
    setWanted(true);
  }

  return {
    messages: joins ? read.messages : [],
    error,
    reading: wanted && first !== undefined && !joins,
    show: first && !joins ? show : null,
  };
}

/** Read the whole conversation, and return what comes before a message; the room soon tells if it is gone. */
async function earlierThan(pipelineId: string, first: string, signal: AbortSignal): Promise<Message[]> {
  const at = pipelineAt(pipelineId, "playground-session");
  const { chat_messages } = await get<{ chat_messages: Kept[] }>(at, {}, signal);
  const until = chat_messages.findIndex((message) => message.id === first);
  return chat_messages.slice(0, Math.max(0, until)).map(messageOf);
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
