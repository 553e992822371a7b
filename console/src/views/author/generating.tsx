/** Has a model make parts of a draft, and shows each as it comes. */

import { useEffect, useState } from "preact/hooks";
import { Badge, Button, Check, Meter, TextField } from "../../parts";
import type { Place } from "../../rooms";
import { call } from "../../socket";
import type { Desk } from "./desk";
import { shownOf } from "./editing";
import type { Run, Runs } from "./runs";
import { type ArtifactDoc, type DraftRun, words } from "./types";

const MAX_WISH = 4_000;
const USUAL = new Set([
  "names",
  "descriptions",
  "instructions",
  "examples",
  "problem_statements",
  "objectives",
  "personas",
  "scenarios",
  "scenario_rubrics",
  "standard_groups",
  "standards",
  "points",
  "pass_points",
  "texts",
  "fields",
]);

interface Props {
  desk: Desk;
  docs: ArtifactDoc;
  runs: Runs;
  /** Runs before one came here, newest first. */
  history: DraftRun[];
  place: Place;
}

export function Generating({ desk, docs, runs, history, place }: Props) {
  const types = Object.entries(docs.resource_types)
    .filter(([, doc]) => doc.operations.includes("create"))
    .map(([type]) => type);
  const [wish, setWish] = useState("");
  const [wanted, setWanted] = useState(() => new Set(types.filter((type) => isUsual(type, docs, desk))));
  const [asked, setAsked] = useAsked(history);
  const run = asked ? (runs[asked.run_id] ?? null) : null;
  const state = run && run.state !== "running" ? run.state : asked?.state;
  const going = state === "running";
  useLooking(desk, run);

  async function generate(): Promise<void> {
    await desk.settled();
    const ordered = types.filter((type) => wanted.has(type));
    const ack = await call<"generate", { run_id: string }>("generate", {
      artifact_types: [{ name: docs.artifact_type, operation: "draft" }],
      draft_id: desk.row.id,
      resource_types: ordered,
      user_instructions: wish.trim() ? [wish.trim().slice(0, MAX_WISH)] : [],
    });
    setAsked({
      run_id: ack.run_id,
      state: "running",
      save: false,
      artifact_id: null,
      resource_types: ordered,
      resources: [],
    });
  }

  function toggle(type: string, on: boolean): void {
    const now = new Set(wanted);
    if (on) now.add(type);
    else now.delete(type);
    setWanted(now);
  }

  return (
    <section class="author-box" aria-label="Generate">
      <h2>Generate</h2>
      <TextField
        label="What it should be"
        hint="Whom, where, and what is to be practised"
        multiline
        value={wish}
        onInput={setWish}
      />
      <details class="author-types">
        <summary>
          {wanted.size} of {types.length} parts
        </summary>
        {types.map((type) => (
          <Check
            key={type}
            label={words(type)}
            checked={wanted.has(type)}
            onChange={(on) => toggle(type, on)}
          />
        ))}
      </details>
      <Button kind="primary" busy={going} disabled={wanted.size === 0 || going} onClick={generate}>
        {going ? "Generating…" : "Generate"}
      </Button>
      {asked && <Progress {...{ run, asked, place }} />}
    </section>
  );
}

/** What is made at first: what most people want, and what is not written yet. */
function isUsual(type: string, docs: ArtifactDoc, desk: Desk): boolean {
  const empty = !(type in shownOf(desk.editing.value));
  return empty && (USUAL.has(type) || docs.needed_to_save.includes(type));
}

/** Keep which run writes into the draft: the one that was begun here, or one that went on meanwhile. */
function useAsked(history: DraftRun[]): [DraftRun | null, (run: DraftRun) => void] {
  const [begun, setBegun] = useState<DraftRun | null>(null);
  const before = history.find((run) => !run.save) ?? null;
  return [begun ?? before, setBegun];
}

/** Read the draft again whenever a part of it was made. */
function useLooking(desk: Desk, run: Run | null): void {
  const made = run ? `${run.resources.length} ${run.state}` : "";
  useEffect(() => {
    if (made) void desk.look();
  }, [made, desk]);
}

interface ProgressProps {
  run: Run | null;
  asked: DraftRun;
  place: Place;
}

function Progress({ run, asked, place }: ProgressProps) {
  const made = new Set([...asked.resources, ...(run?.resources ?? [])]);
  const types = [...new Set([...asked.resource_types, ...made])];
  const all = Math.max(types.length, run?.total_resources ?? 0);
  const state = run && run.state !== "running" ? run.state : asked.state;
  return (
    <div class="author-progress">
      <Meter label="Parts made" value={state === "done" ? all : made.size} max={Math.max(1, all)} />
      <ul>
        {types.map((type) => (
          <li key={type}>
            <span>{words(type)}</span>
            {made.has(type) ? (
              <Badge tone="good">made</Badge>
            ) : (
              <Badge tone="quiet">{state === "running" ? "waits" : "not made"}</Badge>
            )}
          </li>
        ))}
      </ul>
      <p role="status">
        {state === "done" && "Everything is made. Read it before learners do."}
        {state === "running" && (place === "away" ? "The line is away; the model goes on." : "")}
      </p>
      {state === "failed" && (
        <p class="author-failed" role="alert">
          {run?.message ?? "It ended before everything was made. Generate what is missing."}
        </p>
      )}
    </div>
  );
}
