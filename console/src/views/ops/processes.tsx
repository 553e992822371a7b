/** The processes that beat, and how each is doing now. */

import { Badge, Empty, Table } from "../../parts";
import { ms, number, seconds, shortId } from "../../parts/format";
import { type Beats, type Heard, newest, SILENT_MS } from "./beats";

interface Props {
  beats: Beats;
  now: number;
}

export function Processes({ beats, now }: Props) {
  const figure = (key: string, title: string, of: (one: Heard) => string) => ({
    key,
    title,
    align: "right" as const,
    render: (one: Heard) => (silent(one, now) ? "–" : of(one)),
  });
  const columns = [
    {
      key: "process",
      title: "Process",
      render: ({ beat }: Heard) => <code title={beat.process}>{shortId(beat.process)}</code>,
    },
    { key: "state", title: "State", render: (one: Heard) => <Beating one={one} now={now} /> },
    figure("connections", "Connections", ({ beat }) => number(beat.connections)),
    figure("deliveries", "Deliveries/s", ({ beat }) => number(Math.round(beat.deliveries_per_s))),
    figure("replies", "Replies", ({ beat }) => number(beat.replies_running)),
    figure("jobs", "Jobs", ({ beat }) => number(beat.jobs)),
    figure("lag", "Loop lag", ({ beat }) => ms(beat.loop_lag_ms)),
    figure("errors", "Errors/s", ({ beat }) => number(beat.errors)),
  ];
  return (
    <section aria-label="Processes">
      <h2>Processes</h2>
      <Table
        caption="Processes that beat in the last ten minutes"
        columns={columns}
        rows={newest(beats)}
        keyOf={({ beat }: Heard) => beat.process}
        empty={<Empty title="No beat yet">Every process beats once a second.</Empty>}
      />
    </section>
  );
}

function silent(one: Heard, now: number): boolean {
  return now - one.at > SILENT_MS;
}

function Beating({ one, now }: { one: Heard; now: number }) {
  if (!silent(one, now)) return <Badge tone="good">beats</Badge>;
  return <Badge tone="bad">silent for {seconds((now - one.at) / 1000)}</Badge>;
}
