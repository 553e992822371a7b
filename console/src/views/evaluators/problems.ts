// What the server has against a request: messages by field, or one sentence.

import type { Problem } from "../../documents/read";
import { RestError } from "../../rest";

/** Returns every message with the field that it belongs to; none when the answer is of another form. */
export function problemsOf(error: Error): Problem[] {
  if (!(error instanceof RestError) || error.retryable) return []; // that is not of any field
  const body = error.body;
  if (typeof body !== "object" || body === null || Array.isArray(body)) return [];
  if ("detail" in body && typeof body.detail === "string") return [{ loc: [], msg: body.detail }];
  return Object.entries(body).flatMap(([field, said]) => {
    const loc = field === "non_field_errors" ? [] : [field];
    return Array.isArray(said) ? said.map((msg) => ({ loc, msg: String(msg) })) : [];
  });
}
