/** Small charts of the last ten minutes. */

import { useMemo, useState } from "preact/hooks";
import { Chart, Choice } from "../../parts";
import { type Beats, lineOf, secondsUpTo, together } from "./beats";
import { FIGURES, type Shown } from "./figures";

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
        {FIGURES.map((shown) => (
          <OneChart key={shown.figure} {...{ shown, beats, now }} apart={apart && several && !shown.common} />
        ))}
      </div>
    </section>
  );
}

interface OneProps extends Props {
  shown: Shown;
  apart: boolean;
}

function OneChart({ shown, beats, now, apart }: OneProps) {
  const { figure, title, unit, says } = shown;
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
      <p class="ops-says">{says}</p>
    </div>
  );
}
