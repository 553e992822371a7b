/** Operations: how the processes do, second by second, and what starts, ends and fails. */

import { Badge, Busy, Failure, Page } from "../../parts";
import { number } from "../../parts/format";
import { Activity, Counts, Running } from "./activity";
import { type Beats, lineOf, newest, SILENT_MS, together } from "./beats";
import { Charts } from "./charts";
import { FIGURES } from "./figures";
import { useBeats, useOps } from "./live";
import { Processes } from "./processes";
import "./style.css";

export default function OpsView() {
  const { beats, now } = useBeats();
  const { ops, told, place, error } = useOps();
  const metrics = (
    <a class="ops-metrics" href="/metrics" target="_blank" rel="noreferrer">
      Metrics for Prometheus
    </a>
  );
  return (
    <Page title="Operations" actions={metrics}>
      {error && <Failure error={error} />}
      {place === "away" && (
        <p role="status">
          <Badge tone="warn">away</Badge> No beat is heard until the line is back.
        </p>
      )}
      <Tiles beats={beats} now={now} />
      <Charts beats={beats} now={now} />
      <Processes beats={beats} now={now} />
      {ops ? (
        <>
          <div class="ops-halves">
            <Running ops={ops} />
            <Counts counts={ops.counts} />
          </div>
          <Activity told={told} />
        </>
      ) : (
        !error && <Busy label="Joining the ops room" />
      )}
    </Page>
  );
}

/** The figures of all processes together, now. */
function Tiles({ beats, now }: { beats: Beats; now: number }) {
  const beating = newest(beats).filter((one) => now - one.at <= SILENT_MS).length;
  const second = [Math.floor(now / 1000) - 1]; // the present one has not heard everybody yet
  return (
    <dl class="ops-tiles">
      <Tile title="Processes" says="Processes that beat, workers among them." value={String(beating)} />
      {FIGURES.map(({ figure, title, says, write }) => {
        const lines = [...beats.values()].map((heard) => lineOf(heard, figure, second));
        const value = together(lines, figure)[0] ?? null;
        const more = figure === "waiting" ? kindsOf(beats) : "";
        return <Tile key={figure} {...{ title, says, more }} value={value === null ? "–" : write(value)} />;
      })}
    </dl>
  );
}

/** What waits, by kind, as it was told last. */
function kindsOf(beats: Beats): string {
  const told = newest(beats).filter(({ beat }) => beat.waiting);
  const [last] = told.sort((one, other) => other.at - one.at);
  return Object.entries(last?.beat.waiting ?? {})
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${number(count)} ${KINDS[kind] ?? kind}`)
    .join(", ");
}

const KINDS: Record<string, string> = {
  test: "runs of tests",
  batch: "batch jobs",
  evaluator: "results",
  index: "documents",
};

interface TileProps {
  title: string;
  says: string;
  value: string;
  more?: string;
}

function Tile({ title, says, value, more }: TileProps) {
  return (
    <div class="ops-tile" title={says}>
      <dt>{title}</dt>
      <dd>{value}</dd>
      {more && <dd class="ops-more">{more}</dd>}
    </div>
  );
}
