/** Operations: how the processes do, second by second, and what starts, ends and fails. */

import { Badge, Busy, Failure, Page } from "../../parts";
import { ms, number } from "../../parts/format";
import { Activity, Counts, Running } from "./activity";
import { type Beats, type Figure, lineOf, newest, SILENT_MS, together } from "./beats";
import { Charts } from "./charts";
import { useBeats, useOps } from "./live";
import { Processes } from "./processes";
import "./style.css";

const TILES: { figure: Figure; title: string; show(value: number): string }[] = [
  { figure: "connections", title: "Connections", show: number },
  { figure: "deliveries_per_s", title: "Deliveries/s", show: (value) => number(Math.round(value)) },
  { figure: "replies_running", title: "Running replies", show: number },
  { figure: "jobs", title: "Jobs in work", show: number },
  { figure: "loop_lag_ms", title: "Loop lag", show: ms },
];

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
      <Tile title="Processes" value={String(beating)} />
      {TILES.map(({ figure, title, show }) => {
        const lines = [...beats.values()].map((heard) => lineOf(heard, figure, second));
        const value = together(lines, figure)[0] ?? null;
        return <Tile key={figure} title={title} value={value === null ? "–" : show(value)} />;
      })}
    </dl>
  );
}

function Tile({ title, value }: { title: string; value: string }) {
  return (
    <div class="ops-tile">
      <dt>{title}</dt>
      <dd>{value}</dd>
    </div>
  );
}
