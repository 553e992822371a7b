/** Stores a draft as content, and leads to practising it. */

import { useEffect, useState } from "preact/hooks";
import { Badge, Button, Link } from "../../parts";
import { type Got, send } from "../../rest";
import { href } from "../../router";
import { call } from "../../socket";
import type { Desk } from "./desk";
import { shownOf } from "./editing";
import { Practise } from "./practising";
import type { Runs } from "./runs";
import { type ContentRow, type DraftRun, kindOf, nameOf } from "./types";

interface Props {
  desk: Desk;
  runs: Runs;
  /** Runs before one came here, newest first. */
  history: DraftRun[];
  /** The content that the draft is of, if it exists. */
  content: Got<ContentRow>;
}

export function Storing({ desk, runs, history, content }: Props) {
  const [runId, setRunId] = useState<string | null>(null);
  const run = runId ? runs[runId] : undefined;
  const clashes = Object.keys(desk.editing.value.theirs).length;
  const going = runId !== null && (run === undefined || run.state === "running");
  const before = history.find(({ save, state }) => save && state === "done")?.artifact_id;
  const storedId = (run?.state === "done" && run.artifact_id) || before;
  const { artifact_type: artifact, artifact_id: of } = desk.row;
  useEffect(() => {
    if (run?.state === "done" && of) content.reload();
  }, [run?.state]);

  async function store(): Promise<void> {
    await desk.settled();
    const ack = await call<"generate", { run_id: string }>("generate", {
      artifact_types: [{ name: artifact, operation: "save" }],
      draft_id: desk.row.id,
      resource_types: [],
      save: true,
    });
    setRunId(ack.run_id);
  }

  const another = storedId && !of;
  return (
    <section class="author-box" aria-label="Store">
      <h2>Store</h2>
      <p class="author-hint">{another ? HINTS.another : of ? HINTS.changes : HINTS.makes}</p>
      {clashes > 0 && <p class="author-failed">Choose first what stays where both have changed something.</p>}
      <Button
        kind={another ? "plain" : "primary"}
        busy={going}
        disabled={clashes > 0 || going}
        onClick={store}
      >
        {going ? "Storing…" : another ? "Store as another" : "Store"}
      </Button>
      {run?.state === "failed" && (
        <p class="author-failed" role="alert">
          {run.message}
        </p>
      )}
      {storedId && !going && <Stored desk={desk} id={storedId} of={content.data} />}
    </section>
  );
}

const HINTS = {
  changes: "Changes what is stored.",
  makes: "Makes it content. What is needed and not written is generated too.",
  another: "It is stored already; open it to change it. Storing once more makes a second one.",
};

interface StoredProps {
  desk: Desk;
  id: string;
  of: ContentRow | null;
}

/** Lead to what was stored, and to practising it; a scenario becomes a practice of its own first. */
function Stored({ desk, id, of }: StoredProps) {
  const form = shownOf(desk.editing.value);
  const { artifact_type: artifact } = desk.row;
  const assigned = artifact === "simulation" && form.flags?.assigned === true;
  const kind = of?.kind ?? (assigned ? "home" : kindOf(artifact));
  const practised = kind === "practice" || kind === "home";
  return (
    <div class="author-stored" role="status">
      <Badge tone="good">stored</Badge>
      <Link to={href("author", "content", kind, id)}>Open it</Link>
      {practised && (
        <Practise of={kind} id={async () => id}>
          Practise at once
        </Practise>
      )}
      {kind === "scenario" && (
        <Practise of="practice" id={() => practiceOf(id, nameOf(desk.row, form))}>
          Practise at once
        </Practise>
      )}
    </div>
  );
}

async function practiceOf(scenarioId: string, name: string): Promise<string> {
  const scenarios = [{ scenario_id: scenarioId }];
  return (await send<ContentRow>("POST", "/api/v1/practices", { name, scenarios })).id;
}
