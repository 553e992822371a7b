/** Stores a draft as content, and leads to practising it. */

import { useState } from "preact/hooks";
import { Badge, Button } from "../../parts";
import { send } from "../../rest";
import { call } from "../../socket";
import type { Desk } from "./desk";
import { shownOf } from "./editing";
import { Practise } from "./practising";
import type { Runs } from "./runs";
import { type ContentRow, nameOf } from "./types";

interface Props {
  desk: Desk;
  runs: Runs;
}

export function Storing({ desk, runs }: Props) {
  const [runId, setRunId] = useState<string | null>(null);
  const run = runId ? runs[runId] : undefined;
  const clashes = Object.keys(desk.editing.value.theirs).length;
  const going = runId !== null && (run === undefined || run.state === "running");
  const { artifact_type: artifact } = desk.row;

  async function store(): Promise<void> {
    await desk.flush();
    const ack = await call<"generate", { run_id: string }>("generate", {
      artifact_types: [{ name: artifact, operation: "save" }],
      draft_id: desk.row.id,
      resource_types: [],
      save: true,
    });
    setRunId(ack.run_id);
  }

  return (
    <section class="author-box" aria-label="Store">
      <h2>Store</h2>
      <p class="author-hint">
        {desk.row.artifact_id
          ? "Changes what is stored."
          : "Makes it content. What is needed and not written is generated too."}
      </p>
      {clashes > 0 && <p class="author-failed">Choose first what stays where both have changed something.</p>}
      <Button kind="primary" busy={going} disabled={clashes > 0 || going} onClick={store}>
        {going ? "Storing…" : "Store"}
      </Button>
      {run?.state === "failed" && (
        <p class="author-failed" role="alert">
          {run.message}
        </p>
      )}
      {run?.state === "done" && run.artifact_id && (
        <div class="author-stored" role="status">
          <Badge tone="good">stored</Badge>
          <AtOnce desk={desk} artifact={artifact} id={run.artifact_id} />
        </div>
      )}
    </section>
  );
}

/** Lead to practising; a scenario becomes a practice of its own first. */
function AtOnce({ desk, artifact, id }: { desk: Desk; artifact: string; id: string }) {
  const form = shownOf(desk.editing.value);
  if (artifact === "simulation") {
    return (
      <Practise of={form.flags?.assigned === true ? "home" : "practice"} id={async () => id}>
        Practise at once
      </Practise>
    );
  }
  if (artifact !== "scenario") return null;
  return (
    <Practise of="practice" id={() => practiceOf(id, nameOf(desk.row, form))}>
      Practise at once
    </Practise>
  );
}

async function practiceOf(scenarioId: string, name: string): Promise<string> {
  const scenarios = [{ scenario_id: scenarioId }];
  return (await send<ContentRow>("POST", "/api/v1/practices", { name, scenarios })).id;
}
