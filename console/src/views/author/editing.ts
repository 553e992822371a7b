/** A draft that is edited while a model, or another window, writes into it too. Pure. */

import type { Form, Value } from "./types";

export interface Editing {
  version: number;
  /** The form as the server has it at that version. */
  base: Form;
  /** Resources that are typed and not stored yet; null takes one away. */
  mine: Record<string, Value | null>;
  /** Resources that somebody else changed while they were typed here, as they are there. */
  theirs: Record<string, Value | null>;
}

export function opened(version: number, form: Form): Editing {
  return { version, base: form, mine: {}, theirs: {} };
}

/** The form as it is shown: what is typed, over what is stored. */
export function shownOf(editing: Editing): Form {
  const shown: Form = { ...editing.base };
  for (const [type, value] of Object.entries(editing.mine)) {
    if (value === null) delete shown[type];
    else shown[type] = value;
  }
  return shown;
}

export function typed(editing: Editing, type: string, value: Value | null): Editing {
  return { ...editing, mine: { ...editing.mine, [type]: value } };
}

/** Take a newer version of the draft. What is typed stays; what both changed is a conflict. */
export function heard(editing: Editing, version: number, form: Form): Editing {
  if (version <= editing.version) return editing;
  const mine: Editing["mine"] = {};
  const theirs: Editing["theirs"] = {};
  for (const [type, value] of Object.entries(editing.mine)) {
    const now = form[type] ?? null;
    if (same(now, value)) continue;
    mine[type] = value;
    if (type in editing.theirs || !same(now, editing.base[type] ?? null)) theirs[type] = now;
  }
  return { version, base: form, mine, theirs };
}

/** Take the answer to what was sent; what was typed since then is yet to be sent. */
export function stored(editing: Editing, sent: Editing["mine"], version: number, form: Form): Editing {
  const mine = { ...editing.mine };
  const theirs = { ...editing.theirs };
  for (const [type, value] of Object.entries(sent)) {
    if (type in mine && same(mine[type] ?? null, value)) delete mine[type];
    delete theirs[type];
  }
  if (version < editing.version) return { ...editing, mine, theirs };
  return { version, base: form, mine, theirs };
}

/** Settle a conflict. */
export function chosen(editing: Editing, type: string, whose: "mine" | "theirs"): Editing {
  const theirs = { ...editing.theirs };
  const mine = { ...editing.mine };
  delete theirs[type];
  if (whose === "theirs") delete mine[type];
  return { ...editing, mine, theirs };
}

/** What can be stored now: all that is typed, without what is in conflict. */
export function sendable(editing: Editing): Editing["mine"] {
  return Object.fromEntries(Object.entries(editing.mine).filter(([type]) => !(type in editing.theirs)));
}

export function same(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || !one || !other) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const keys = Object.keys(one);
  if (keys.length !== Object.keys(other).length) return false;
  return keys.every((key) => key in other && same((one as Value)[key], (other as Value)[key]));
}
