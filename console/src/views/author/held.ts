/** What stored content holds of the parts that drafts consist of. Pure. */

import { beginning, plain } from "./schemas";
import { type ArtifactDoc, type ContentRow, formsOf, type Schema, type Value } from "./types";

type Row = Record<string, unknown>;

// Writing the one has the other begin anew, so that both are taken into a draft.
const TOGETHER: Record<string, string[]> = { standard_groups: ["standards"], questions: ["options"] };

/** Return what a part of a draft begins with, and what is to be in the draft beside it. */
export function begun(type: string, docs: ArtifactDoc, content: ContentRow | null): Record<string, Value> {
  const found: Record<string, Value> = {};
  for (const one of [type, ...(TOGETHER[type] ?? [])]) {
    const forms = formsOf(docs, one);
    const held = content && heldOf(forms, content);
    const [first = {}] = forms;
    if (held) found[one] = held;
    else if (one === type) found[one] = beginning(first, first) as Value;
  }
  return found;
}

/** Return what content holds in the first of the forms that fits, null when none does. */
export function heldOf(forms: Schema[], content: Value): Value | null {
  const row = spread(content);
  for (const form of forms) {
    const found = taken(form, form, row);
    if (found !== undefined) return found as Value;
  }
  return null;
}

/** Take what a form asks for; undefined when something that it needs is missing. */
function taken(schema: Schema, root: Schema, value: unknown): unknown {
  const { properties, required, items } = plain(schema, root);
  if (value === null || value === undefined || value === "") return undefined;
  if (items) {
    if (!Array.isArray(value) || value.length === 0) return undefined;
    const found = value.map((one) => taken(items, root, one));
    return found.includes(undefined) ? undefined : found;
  }
  if (!properties) return value;
  const made: Value = {};
  for (const [name, one] of Object.entries(properties)) {
    const found = taken(one, root, (value as Row)[name]);
    if (found !== undefined) made[name] = found;
    else if (required?.includes(name)) return undefined;
  }
  return made;
}

/** Content with what it holds in other places, or under other names, than the forms have it. */
function spread(content: Value): Row {
  const { template, groups, questions, judges, mode } = content;
  const row: Row = { ...(template as Row | undefined), ...content };
  row.standards = numbered(groups, "group", (group) => rowsOf(group.standards));
  row.options = rowsOf(questions).map(({ options }, n) => ({ question: n + 1, options }));
  if (typeof judges === "number") row.several_judges = judges > 1;
  if (typeof mode === "string") row.last_turn_only = mode === "last_turn";
  return row;
}

/** The parts of numbered things, each with the number of the thing. */
function numbered(things: unknown, name: string, parts: (thing: Row) => Row[]): Row[] {
  return rowsOf(things).flatMap((thing, n) => parts(thing).map((part) => ({ ...part, [name]: n + 1 })));
}

function rowsOf(value: unknown): Row[] {
  return Array.isArray(value) ? (value as Row[]) : [];
}
