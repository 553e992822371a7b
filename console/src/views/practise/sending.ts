// Sends a message exactly once, also when the page is reloaded before the answer has come.

import { CallError, call } from "../../socket";

interface Outgoing {
  attempt_id: string;
  chat_id: string;
  message: string;
  parent_message_id?: string;
  client_event_id: string;
}

const KEY = "greenroom-sending-";

/** The message of a chat whose answer has not come yet, from before a reload. */
export function outgoing(chatId: string): Outgoing | null {
  const kept = sessionStorage.getItem(KEY + chatId);
  return kept === null ? null : (JSON.parse(kept) as Outgoing);
}

export async function say(message: Omit<Outgoing, "client_event_id">): Promise<string> {
  return await deliver({ ...message, client_event_id: randomId() });
}

/** Send under the id that it was sent under before: the server takes it once. */
export async function deliver(message: Outgoing): Promise<string> {
  const key = KEY + message.chat_id;
  sessionStorage.setItem(key, JSON.stringify(message));
  try {
    const ack = await call("attempt_message", message);
    sessionStorage.removeItem(key);
    return String(ack.message_id);
  } catch (error) {
    if (error instanceof CallError) sessionStorage.removeItem(key);
    throw error;
  }
}

function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
