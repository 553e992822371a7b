// Reads a job or an evaluation that somebody pasted: JSON or YAML, and where in the text each part of it stands.

export type Loc = (string | number)[];

/** Something wrong with a document, and where. */
export interface Problem {
  loc: Loc;
  msg: string;
}

/** A problem as it is shown: `where` in words, `line` from 1 on where the text is at hand. */
export interface Placed {
  where: string;
  line: number | null;
  msg: string;
}

/** The text is neither JSON nor YAML. */
export class Unreadable extends Error {
  constructor(
    message: string,
    readonly line: number | null,
  ) {
    super(message);
    this.name = "Unreadable";
  }
}

const MAX_PLACED = 2_000_000; // characters; larger texts are not searched for lines

/** Returns what a text holds; rejects with Unreadable, which names the line. */
async function readSource(text: string): Promise<unknown> {
  if (text.trim() === "") throw new Unreadable("There is nothing in it yet.", null);
  try {
    return JSON.parse(text);
  } catch {
    // YAML holds JSON too, and its reader says where something is wrong
  }
  const { load, CORE_SCHEMA, mergeTag, YAMLException } = await import("js-yaml");
  try {
    return load(text, { schema: CORE_SCHEMA.withTags(mergeTag) });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    throw new Unreadable(error.reason, error.mark ? error.mark.line + 1 : null);
  }
}

/** Returns the object that a text holds; rejects with Unreadable, also for anything else, with words for it. */
export async function readObject(text: string, words: string): Promise<Record<string, unknown>> {
  const value = await readSource(text);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new Unreadable(words, 1);
}

/** Returns a place as people write it: `permutations[1].llm.provider`; empty for the whole. */
function pathOf(loc: Loc): string {
  const path = loc.map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`)).join("");
  return path.replace(/^\./, "");
}

/**
 * Returns problems with the lines in which they stand, in the order of the text.
 *
 * Places leave out the names of `wrappers` around items, which a text may have: `- test_case: {…}`.
 */
export async function placed(
  problems: Problem[],
  text: string | null,
  wrappers: readonly string[] = [],
): Promise<Placed[]> {
  const lines = text === null || text.length > MAX_PLACED ? null : await linesOf(text, wrappers);
  const found = problems.map(({ loc, msg }) => ({ where: pathOf(loc), line: lines?.(loc) ?? null, msg }));
  return found.sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity));
}

interface Frame {
  loc: Loc;
  next: string | number | null; // the key or place of the next value; null in a mapping that waits for a key
  isMap: boolean;
}

/** Returns what finds the line of a place, or of the nearest place around it. */
async function linesOf(text: string, wrappers: readonly string[]): Promise<(loc: Loc) => number | null> {
  const starts = await startsOf(text);
  for (const [place, start] of [...starts]) {
    const bare = JSON.stringify(
      (JSON.parse(place) as Loc).filter((part) => !wrappers.includes(String(part))),
    );
    if (!starts.has(bare)) starts.set(bare, start);
  }
  return (loc) => {
    for (let length = loc.length; length > 0; length -= 1) {
      const start = starts.get(JSON.stringify(loc.slice(0, length)));
      if (start !== undefined) return lineAt(text, start);
    }
    return null;
  };
}

function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) line += 1;
  return line;
}

/** Returns where each key and item begins, by its place as JSON. */
async function startsOf(text: string): Promise<Map<string, number>> {
  const { parseEvents, getScalarValue, EVENT_ID, YAMLException } = await import("js-yaml");
  const starts = new Map<string, number>();
  const frames: Frame[] = [];
  let events: ReturnType<typeof parseEvents>;
  try {
    events = parseEvents(text, {});
  } catch (error) {
    if (error instanceof YAMLException) return starts; // JSON that is no YAML, such as with tabs
    throw error;
  }
  for (const event of events) {
    const frame = frames.at(-1);
    if (event.type === EVENT_ID.DOCUMENT) frames.push({ loc: [], next: 0, isMap: false });
    else if (event.type === EVENT_ID.POP) frames.pop();
    else if (frame?.isMap && frame.next === null) {
      if (event.type !== EVENT_ID.SCALAR) return starts; // keys that are no texts have no place
      frame.next = getScalarValue(text, event);
      starts.set(JSON.stringify([...frame.loc, frame.next]), event.valueStart);
    } else if (frame) {
      const loc = frames.length === 1 ? [] : [...frame.loc, frame.next ?? 0];
      if (!frame.isMap && frames.length > 1) starts.set(JSON.stringify(loc), startOf(event));
      frame.next = typeof frame.next === "number" ? frame.next + 1 : null;
      if (event.type === EVENT_ID.MAPPING) frames.push({ loc, next: null, isMap: true });
      if (event.type === EVENT_ID.SEQUENCE) frames.push({ loc, next: 0, isMap: false });
    }
  }
  return starts;
}

function startOf(event: { start?: number; valueStart?: number; anchorStart?: number }): number {
  return event.start ?? event.valueStart ?? event.anchorStart ?? 0;
}
