// What a run has come to, in a word.

import type { Tone } from "../../parts";
import type { Run } from "./types";

export function wordOf(run: Run): { word: string; tone: Tone } {
  if (run.grading) return { word: "Being graded", tone: "info" };
  if (run.state === "running") return { word: "Running", tone: "info" };
  if (run.state === "queued") return { word: "Queued", tone: "quiet" };
  if (run.state === "failed") return { word: "Failed", tone: "bad" };
  if (run.outcome === "passed") return { word: "Passed", tone: "good" };
  if (run.outcome === "not_passed") return { word: "Not passed", tone: "bad" };
  if (run.state === "done") return { word: "Replayed", tone: "warn" };
  return { word: "Pending", tone: "quiet" };
}
