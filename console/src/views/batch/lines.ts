// Reads the results of a job, which come as lines of JSON, a part at a time.

import { token } from "../../identity";

interface Span {
  from: number;
  limit: number;
}

/** Yields results as they arrive, several at once; rejects when the server refuses. */
export async function* lines<T>(jobId: string, span: Span, stopped?: AbortSignal): AsyncGenerator<T[]> {
  const headers: Record<string, string> = token.value ? { Authorization: `Bearer ${token.value}` } : {};
  const address = `/api/jobs/${jobId}/results?from=${span.from}&limit=${span.limit}`;
  const response = await fetch(address, { headers, ...(stopped ? { signal: stopped } : {}) });
  if (!response.ok || !response.body) throw new Error(`The results could not be read (${response.status}).`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const whole = (rest + part.value).split("\n");
    rest = whole.pop() ?? "";
    if (whole.length > 0) yield whole.map((line) => JSON.parse(line) as T);
  }
}

/** Returns one result, null when there is none yet. */
export async function oneResult<T>(jobId: string, index: number): Promise<T | null> {
  for await (const found of lines<T>(jobId, { from: index, limit: 1 })) return found[0] ?? null;
  return null;
}
