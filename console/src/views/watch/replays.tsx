// An invocation of a test: its replays, and what is said in them.

import { useState } from "preact/hooks";
import { Badge, Empty, type Tone } from "../../parts";
import { number } from "../../parts/format";
import type { Replay, Replays } from "../tests/fold";
import { Talk } from "../tests/talk";

const WORDS: Record<Replay["state"], { word: string; tone: Tone }> = {
  running: { word: "Running", tone: "info" },
  done: { word: "Replayed", tone: "quiet" },
  failed: { word: "Failed", tone: "bad" },
  stopped: { word: "Stopped", tone: "warn" },
};

export function ReplaysView({ state }: { state: Replays }) {
  const [chosen, setChosen] = useState<string | null>(null);
  const runs = [...state.runs.values()].reverse();
  if (runs.length === 0) return <Empty title="No run has begun">Runs appear as they are replayed.</Empty>;
  const going =
    runs.find((run) => run.state === "running") ?? runs.find((run) => state.talks.has(run.run_id));
  const shown = (chosen && state.runs.get(chosen)) || going || runs[0];
  const talk = shown && state.talks.get(shown.run_id);
  const agent = state.agent ?? "Agent";
  return (
    <div class="watch-replays">
      <ul class="watch-runs" aria-label="Runs">
        {runs.map((run) => (
          <li key={run.run_id}>
            <button
              type="button"
              class="watch-run"
              aria-pressed={run.run_id === shown?.run_id}
              onClick={() => setChosen(run.run_id)}
            >
              <span>Run {run.current_run}</span>
              <Badge tone={WORDS[run.state].tone}>{WORDS[run.state].word}</Badge>
              {run.grade && <Mark grade={run.grade} />}
            </button>
          </li>
        ))}
      </ul>
      <section class="watch-said" aria-label={`What is said in run ${shown?.current_run ?? ""}`}>
        {talk ? (
          <Talk talk={talk} running={shown?.state === "running"} agent={agent} />
        ) : (
          <Empty title="This run had ended before you came">
            Move back in time to see it, or open it under Tests.
          </Empty>
        )}
      </section>
    </div>
  );
}

function Mark({ grade }: { grade: NonNullable<Replay["grade"]> }) {
  if (grade.state === "running") return <Badge tone="info">Being graded</Badge>;
  if (grade.state === "failed") return <Badge tone="warn">Not graded</Badge>;
  const score = grade.score === undefined ? "" : ` ${number(grade.score)}`;
  return (
    <Badge tone={grade.passed ? "good" : "bad"}>
      {grade.passed ? "Passed" : "Not passed"}
      {score}
    </Badge>
  );
}
