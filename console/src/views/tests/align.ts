// A recorded and a replayed conversation, turn beside turn.

import { diff, type Piece } from "./diff";
import type { Said } from "./types";

export interface Side {
  said: Said;
  pieces: Piece[] | null; // of an assistant's words that have a counterpart
}
export interface Turn {
  before: Side[];
  after: Side[];
  different: boolean;
}

/** Puts the turns of both beside each other; a turn begins where the user speaks. */
export function align(recorded: readonly Said[], replayed: readonly Said[]): Turn[] {
  const [left, right] = [turns(recorded), turns(replayed)];
  return Array.from({ length: Math.max(left.length, right.length) }, (_, at) =>
    beside(left[at] ?? [], right[at] ?? []),
  );
}

function turns(messages: readonly Said[]): Said[][] {
  const found: Said[][] = [];
  for (const message of messages) {
    if (message.role === "system") continue; // the agent's own instructions take its place
    const last = found.at(-1);
    if (message.role === "user" || last === undefined) found.push([message]);
    else last.push(message);
  }
  return found;
}

function beside(before: readonly Said[], after: readonly Said[]): Turn {
  const [left, right] = [spoken(before), spoken(after)];
  const pieces = new Map<Said, Piece[]>();
  // the last words of a turn answer the user; those before them stand beside each other from the end too
  for (let back = 1; back <= Math.min(left.length, right.length); back += 1) {
    const [one, other] = [left.at(-back), right.at(-back)];
    if (!one || !other) break;
    const found = diff(one.content, other.content);
    pieces.set(
      one,
      found.filter(({ kind }) => kind !== "new"),
    );
    pieces.set(
      other,
      found.filter(({ kind }) => kind !== "gone"),
    );
  }
  const side = (said: Said): Side => ({ said, pieces: pieces.get(said) ?? null });
  const same = left.length === right.length && [...pieces.values()].flat().every((p) => p.kind === "same");
  return { before: before.map(side), after: after.map(side), different: !same };
}

function spoken(messages: readonly Said[]): Said[] {
  return messages.filter(({ role, content }) => role === "assistant" && content !== "");
}
