// The tree of a chat's messages, and the path through it that is shown.

import type { ChatState, Message, MessageState, Role, Source } from "./types";

/** A message as it is shown: stored, or a reply that is being written. */
export interface Shown {
  id: string;
  role: Role;
  content: string;
  parent: string | null;
  at: string | null;
  state: MessageState | "running";
  sources: Source[];
  /** Whether there is a recording of it. */
  spoken: boolean;
  /** Its place among the messages with the same parent, from 0, and those messages. */
  index: number;
  siblings: string[];
}

type Node = Omit<Shown, "index" | "siblings">;

/** The messages and the running reply, oldest first; older pages may overlap, and the room's order counts then. */
export function nodes(state: Pick<ChatState, "messages" | "running">, older: Message[] = []): Node[] {
  const known = new Set(state.messages.map(({ id }) => id));
  const before = older.filter(({ id }) => !known.has(id));
  const found = new Map([...before, ...state.messages].map((message) => [message.id, ofMessage(message)]));
  const { running } = state;
  if (running) {
    found.set(running.message_id, {
      id: running.message_id,
      role: "assistant",
      content: running.text,
      parent: running.parent_message_id,
      at: running.created_at,
      state: "running",
      sources: running.sources ?? [],
      spoken: false,
    });
  }
  return [...found.values()];
}

function ofMessage(message: Message): Node {
  return {
    id: message.id,
    role: message.role,
    content: message.content,
    parent: message.parent_message_id,
    at: message.created_at,
    state: message.state,
    sources: message.sources ?? [],
    spoken: Boolean(message.audio),
  };
}

/**
 * The path that is shown: from the root through `through`, and on to its newest descendant.
 * Without `through`, or when that message is unknown, it is the path to the newest message.
 */
export function path(all: Node[], through: string | null): Shown[] {
  const byId = new Map(all.map((node) => [node.id, node]));
  const children = families(all);
  const newest = all.at(-1)?.id ?? null;
  let tip = through !== null && byId.has(through) ? newestBelow(through, all, byId) : newest;
  const found: Shown[] = [];
  while (tip !== null) {
    const node = byId.get(tip);
    if (!node) break; // it is on an older page
    const siblings = children.get(node.parent) ?? [node.id];
    found.push({ ...node, siblings, index: siblings.indexOf(node.id) });
    tip = node.parent;
  }
  return found.reverse();
}

function families(all: Node[]): Map<string | null, string[]> {
  const found = new Map<string | null, string[]>();
  for (const node of all) {
    const family = found.get(node.parent);
    if (family) family.push(node.id);
    else found.set(node.parent, [node.id]);
  }
  return found;
}

/** The newest message of the subtree below a message, itself included. */
function newestBelow(id: string, all: Node[], byId: Map<string, Node>): string {
  const inside = new Set([id]);
  let newest = id;
  for (const node of all) {
    // parents stand before their children, so one pass is enough
    if (node.parent !== null && inside.has(node.parent) && byId.has(node.id)) {
      inside.add(node.id);
      newest = node.id;
    }
  }
  return newest;
}
