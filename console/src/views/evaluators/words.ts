// What a run came to, in a word: the same words as the command `evaluate` has.

import type { RunView } from "./types";

export type Word = "waiting" | "talking" | "succeeded" | "failed" | "caller erred" | "broken";
export type Tone = "good" | "bad" | "warn" | "info" | "quiet";

export const TONES: Record<Word, Tone> = {
  waiting: "quiet",
  talking: "info",
  succeeded: "good",
  failed: "bad",
  "caller erred": "warn",
  broken: "warn",
};
export const SIGNS: Record<Word, string> = {
  waiting: "·",
  talking: "…",
  succeeded: "✓",
  failed: "✗",
  "caller erred": "↯",
  broken: "!",
};
export const ENDED: ReadonlySet<Word> = new Set(["succeeded", "failed", "caller erred", "broken"]);

/** Returns the word for a run; `isTalking` when it was heard of and has not ended. */
export function wordOf(run: RunView, isTalking = false): Word {
  if (run.ended_at === null) return isTalking || run.status === "in_progress" ? "talking" : "waiting";
  if (run.has_simulator_error) return "caller erred";
  if (run.success) return "succeeded";
  const isJudged = (run.status === "completed" || run.status === "timeout") && run.success !== null;
  return isJudged ? "failed" : "broken";
}
