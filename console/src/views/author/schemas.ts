/** JSON schemas as forms need them: references followed, null left aside, something to begin with. */

import type { Schema, Value } from "./types";

/** A schema without reference, and without the choice of null; one with several choices has no form. */
export function plain(schema: Schema, root: Schema): Schema {
  if (schema.$ref) {
    const name = schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1);
    const named = root.$defs?.[name];
    return named ? plain(named, root) : {};
  }
  if (!schema.anyOf) return schema;
  const [other, ...more] = schema.anyOf.filter((one) => one.type !== "null");
  if (!other || more.length > 0) return {};
  const nullable = schema.anyOf.length > 1;
  return { ...plain(other, root), title: schema.title, default: schema.default, nullable };
}

/** A schema of content without the ids of its parts, which the server gives. */
export function withoutIds(schema: Schema): Schema {
  const $defs = Object.fromEntries(
    Object.entries(schema.$defs ?? {}).map(([name, def]) => [name, without(def)]),
  );
  return { ...without(schema), $defs };
}

function without(schema: Schema): Schema {
  const { id: _, ...properties } = schema.properties ?? {};
  return { ...schema, properties, required: schema.required?.filter((name) => name !== "id") ?? [] };
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
