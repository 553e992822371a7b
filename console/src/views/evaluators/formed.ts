// The fields of something kept as texts of a form, and back.

import type { Problem } from "../../documents/read";
import type { FieldShape } from "./kinds";
import type { Kept } from "./types";

export type Texts = Record<string, string>;

/** Returns what a form begins with: the values that there are, or those of something new. */
export function textsOf(fields: FieldShape[], kept: Kept | null): Texts {
  return Object.fromEntries(fields.map((field) => [field.name, textOf(field, kept)]));
}

function textOf(field: FieldShape, kept: Kept | null): string {
  const value = kept?.[field.name];
  if (field.type === "secret") return "";
  if (value === undefined || value === null) return kept === null ? (field.initial ?? "") : "";
  if (field.type === "json") return JSON.stringify(value, null, 2);
  if (field.type === "list" || field.type === "refs") return (value as unknown[]).join(", ");
  return String(value);
}

/** Returns the fields that a form means, and what cannot be read; secrets that are empty stay as they are. */
export function bodyOf(
  fields: FieldShape[],
  texts: Texts,
): { body: Record<string, unknown>; problems: Problem[] } {
  const problems: Problem[] = [];
  const body: Record<string, unknown> = {};
  for (const field of fields) {
    const text = texts[field.name] ?? "";
    if (field.type === "secret" && text === "") continue;
    const value = meant(field, text, problems);
    if (value !== undefined) body[field.name] = value;
  }
  return { body, problems };
}

const CAN_BE_NULL = new Set([
  "websocket_url",
  "webhook_url",
  "assistant_id",
  "agent_gives_first_message",
  "personality",
  "test_profile",
  "conditional_actions",
  "pass",
]);

function meant(field: FieldShape, text: string, problems: Problem[]): unknown {
  const bare = text.trim();
  if (bare === "" && CAN_BE_NULL.has(field.name)) return null;
  switch (field.type) {
    case "number":
    case "ref":
      if (bare === "" || Number.isNaN(Number(bare))) {
        problems.push({
          loc: [field.name],
          msg: field.type === "ref" ? "Choose one." : "A number is needed.",
        });
      }
      return Number(bare);
    case "refs":
      return partsOf(bare).map(Number);
    case "list":
      return partsOf(bare);
    case "json":
      return parsed(field, bare, problems);
    case "choice":
      return bare === "true" ? true : bare === "false" ? false : bare;
    default:
      return text;
  }
}

function parsed(field: FieldShape, text: string, problems: Problem[]): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    problems.push({
      loc: [field.name],
      msg: `This is no JSON: ${error instanceof Error ? error.message : error}`,
    });
    return undefined;
  }
}

/** Returns the parts of a text between commas. */
export function partsOf(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}
