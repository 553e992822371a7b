// Sends a message exactly once, also when the page is reloaded before the answer has come.

import { newId } from "../../ids";
import { recall, remember } from "../../personal";
import { CallError, call } from "../../socket";

interface Outgoing {
  attempt_id: string;
  chat_id: string;
  message: string;
  parent_message_id?: string;
  client_event_id: string;
}

const KEY = "sending.";

/** The message of a chat whose answer has not come yet, from before a reload. */
export function outgoing(chatId: string): Outgoing | null {
  const kept = recall(KEY + chatId);
  return kept === "" ? null : (JSON.parse(kept) as Outgoing);
}

export async function say(message: Omit<Outgoing, "client_event_id">): Promise<string> {
  return await deliver({ ...message, client_event_id: newId() });
}

/** Send under the id that it was sent under before: the server takes it once. */
export async function deliver(message: Outgoing): Promise<string> {
  remember(KEY + message.chat_id, JSON.stringify(message));
  try {
    const ack = await call("attempt_message", message);
    forget(message);
    return String(ack.message_id);
  } catch (error) {
    if (error instanceof CallError) forget(message);
    throw error;
  }
}

/** Keep a message no longer, unless another one has taken its place. */
function forget(message: Outgoing): void {
  if (outgoing(message.chat_id)?.client_event_id !== message.client_event_id) return;
  remember(KEY + message.chat_id, "");
}
