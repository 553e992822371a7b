/** Small charts of the last ten minutes. */

import { useMemo, useState } from "preact/hooks";
import { Chart, Choice } from "../../parts";
import { type Beats, type Figure, lineOf, secondsUpTo, together } from "./beats";

const CHARTS: { figure: Figure; title: string; unit: string }[] = [
  { figure: "connections", title: "Connections", unit: "" },
  { figure: "deliveries_per_s", title: "Deliveries", unit: "/s" },
  { figure: "replies_running", title: "Running replies", unit: "" },
  { figure: "jobs", title: "Jobs in work", unit: "" },
  { figure: "loop_lag_ms", title: "Loop lag", unit: "ms" },
  { figure: "errors", title: "Errors logged", unit: "/s" },
];

interface Props {
  beats: Beats;
  now: number;
}

export function Charts({ beats, now }: Props) {
  const [apart, setApart] = useState(false);
  const several = beats.size > 1;
  return (
    <section aria-label="The last ten minutes">
      <header class="ops-head">
        <h2>The last ten minutes</h2>
        {several && (
          <Choice
            label="Show processes"
            value={apart ? "apart" : "together"}
            options={[
              { value: "together", label: "together" },
              { value: "apart", label: "each by itself" },
            ]}
            onChange={(value) => setApart(value === "apart")}
          />
        )}
      </header>
      <div class="ops-charts">
        {CHARTS.map((chart) => (
          <OneChart key={chart.figure} {...chart} beats={beats} now={now} apart={apart && several} />
        ))}
      </div>
    </section>
  );
}

interface OneProps extends Props {
  figure: Figure;
  title: string;
  unit: string;
  apart: boolean;
}

function OneChart({ figure, title, unit, beats, now, apart }: OneProps) {
  const { times, series } = useMemo(() => {
    const times = secondsUpTo(now);
    const lines = [...beats].map(([process, heard]) => ({
      label: process,
      values: lineOf(heard, figure, times),
    }));
    const all = {
      label: title,
      values: together(
        lines.map((line) => line.values),
        figure,
      ),
    };
    return { times, series: apart ? lines : [all] };
  }, [beats, now, figure, title, apart]);
  return (
    <div class="ops-chart">
      <Chart title={title} unit={unit} series={series} times={times} />
    </div>
  );
}
