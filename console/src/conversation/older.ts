// The messages before those that a snapshot has room for, page by page.

import type { Message } from "./types";

/** What pages of GET /api/v1/messages (newest first) add: oldest first, as messages of a chat. */
export function older(items: (Message & { chat_id: string })[]): Message[] {
  return items
    .map(({ chat_id: _chat, ...message }) => ({
      ...message,
      parent_message_id: message.parent_message_id ?? null,
    }))
    .reverse();
}
