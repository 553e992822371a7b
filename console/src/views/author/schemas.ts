/** JSON schemas as forms need them: references followed, null left aside, something to begin with. */

import type { Schema, Value } from "./types";

/** A schema without reference, and without the choice of null. */
export function plain(schema: Schema, root: Schema): Schema {
  if (schema.$ref) {
    const name = schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1);
    const named = root.$defs?.[name];
    return named ? plain(named, root) : {};
  }
  const other = schema.anyOf?.find((one) => one.type !== "null");
  return other ? { ...plain(other, root), title: schema.title, default: schema.default } : schema;
}

/** What a form begins with. */
export function beginning(schema: Schema, root: Schema): unknown {
  if (schema.default !== undefined) return schema.default;
  const found = plain(schema, root);
  if (found.default !== undefined) return found.default;
  if (found.enum) return found.enum[0];
  switch (found.type) {
    case "object":
      return Object.fromEntries(
        Object.entries(found.properties ?? {})
          .filter(([name, one]) => found.required?.includes(name) || one.default !== undefined)
          .map(([name, one]) => [name, beginning(one, root)]),
      );
    case "array":
      return Array.from({ length: found.items ? (found.minItems ?? 0) : 0 }, () =>
        beginning(found.items ?? {}, root),
      );
    case "boolean":
      return false;
    case "integer":
    case "number":
      return found.minimum ?? 0;
    default:
      return "";
  }
}

/** Which of several forms a value has; the first when none fits. */
export function formOf(value: Value | undefined, forms: Schema[]): number {
  if (!value) return 0;
  const names = Object.keys(value);
  const fits = forms.findIndex(
    (form) =>
      names.every((name) => name in (form.properties ?? {})) &&
      (form.required ?? []).every((name) => name in value),
  );
  return Math.max(0, fits);
}

/** The kind of content that a field names by id, such as `scenario_ids`. */
export function namedKind(field: string): string | null {
  const kind = field.match(/^(?:default_)?([a-z]+)_ids?$/)?.[1];
  return kind && KINDS.has(kind) ? kind : null;
}

const KINDS = new Set([
  "parameter",
  "persona",
  "rubric",
  "document",
  "agent",
  "scenario",
  "practice",
  "home",
  "benchmark",
]);
