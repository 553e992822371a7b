/** A form that is edited while a model, another author or another window writes into it too. Pure. */

type Parts<V> = Record<string, V>;

export interface Editing<V> {
  version: number;
  /** The form as the server has it at that version. */
  base: Parts<V>;
  /** Parts that are typed and not stored yet; null takes one away. */
  mine: Parts<V | null>;
  /** Parts that somebody else changed while they were typed here, as they are there. */
  theirs: Parts<V | null>;
}

export function opened<V>(version: number, form: Parts<V>): Editing<V> {
  return { version, base: form, mine: {}, theirs: {} };
}

/** The form as it is shown: what is typed, over what is stored. */
export function shownOf<V>(editing: Editing<V>): Parts<V> {
  const shown: Parts<V> = { ...editing.base };
  for (const [type, value] of Object.entries(editing.mine)) {
    if (value === null) delete shown[type];
    else shown[type] = value;
  }
  return shown;
}

export function typed<V>(editing: Editing<V>, type: string, value: V | null): Editing<V> {
  return { ...editing, mine: { ...editing.mine, [type]: value } };
}

/** Take a newer version. What is typed stays; what both changed is a conflict. */
export function heard<V>(editing: Editing<V>, version: number, form: Parts<V>): Editing<V> {
  if (version <= editing.version) return editing;
  const mine: Parts<V | null> = {};
  const theirs: Parts<V | null> = {};
  for (const [type, value] of Object.entries(editing.mine)) {
    const now = form[type] ?? null;
    if (same(now, value)) continue;
    mine[type] = value;
    if (type in editing.theirs || !same(now, editing.base[type] ?? null)) theirs[type] = now;
  }
  return { version, base: form, mine, theirs };
}

/** Take the answer to what was sent; what was typed since then is yet to be sent. */
export function stored<V>(
  editing: Editing<V>,
  sent: Parts<V | null>,
  version: number,
  form: Parts<V>,
): Editing<V> {
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
export function chosen<V>(editing: Editing<V>, type: string, whose: "mine" | "theirs"): Editing<V> {
  const theirs = { ...editing.theirs };
  const mine = { ...editing.mine };
  delete theirs[type];
  if (whose === "theirs") delete mine[type];
  return { ...editing, mine, theirs };
}

/** What can be stored now: all that is typed, without what is in conflict. */
export function sendable<V>(editing: Editing<V>): Parts<V | null> {
  return Object.fromEntries(Object.entries(editing.mine).filter(([type]) => !(type in editing.theirs)));
}

export function same(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || !one || !other) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const keys = Object.keys(one);
  if (keys.length !== Object.keys(other).length) return false;
  return keys.every(
    (key) => key in other && same((one as Parts<unknown>)[key], (other as Parts<unknown>)[key]),
  );
}
