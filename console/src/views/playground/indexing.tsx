/** How far the indexing of a pipeline is, and what failed. */

import { useEffect } from "preact/hooks";
import { Badge, Button, Meter } from "../../parts";
import { number } from "../../parts/format";
import { send, useGet } from "../../rest";
import { pipelineAt, type Status } from "./types";

const LOOK_MS = 1_000;

/** Read the status of a pipeline, again and again while documents wait. */
export function useStatus(pipelineId: string): { status: Status | null; reload(): void } {
  const { data, error, reload } = useGet<Status>(pipelineAt(pipelineId, "status"));
  useEffect(() => {
    if (data?.status !== "IN_PROGRESS") return;
    const timer = setTimeout(reload, LOOK_MS);
    return () => clearTimeout(timer);
  }, [data, error, reload]);
  return { status: data, reload };
}

interface Props {
  pipelineId: string;
  status: Status;
  mayWrite: boolean;
  changed(): void;
}

export function Indexing({ pipelineId, status, mayWrite, changed }: Props) {
  const { queued = 0, indexed = 0, failed = 0 } = status.documents ?? {};
  const all = queued + indexed + failed;
  if (all === 0) return null;

  async function again(): Promise<void> {
    await send("POST", pipelineAt(pipelineId, "sync"));
    changed();
  }

  return (
    <div class="playground-indexing">
      <p role="status">
        {queued > 0 ? (
          <Badge tone="info">indexing</Badge>
        ) : (
          <Badge tone={failed ? "warn" : "good"}>{failed ? "in part" : "indexed"}</Badge>
        )}{" "}
        {number(indexed)} of {number(all)} documents can be searched
        {failed > 0 && `, ${number(failed)} failed`}.
      </p>
      {queued > 0 && <Meter label="Indexed" value={indexed + failed} max={all} />}
      {status.error && status.error.length > 0 && (
        <ul class="playground-errors">
          {status.error.map((one) => (
            <li key={one.document_id}>
              <strong>{one.document_id}</strong>: {one.message}
            </li>
          ))}
        </ul>
      )}
      {failed > 0 && mayWrite && <Button onClick={again}>Try what failed again</Button>}
    </div>
  );
}
