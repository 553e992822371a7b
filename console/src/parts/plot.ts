/** Draws charts; apart, so that the library is loaded with the first chart only. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

const HEIGHT = 180;
const LEAST_S = 60; // of time that is shown, however little is known
const MINUTE = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const SECOND = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
type Values = readonly { values: readonly (number | null)[] }[];

/** From zero to a little above the greatest value; zeros alone lie at the bottom of a small scale. */
function rangeOf(least: number | null, most: number | null): [number, number] {
  if (!most || most <= 0) return [Math.min(0, least ?? 0), 1];
  const [from, to] = uPlot.rangeNum(Math.min(0, least ?? 0), most, 0.1, true);
  return [from ?? 0, to ?? most];
}

/** From the first value that is known to now. */
function spanOf(times: readonly number[], series: Values): [number, number] {
  const now = times.at(-1) ?? 0;
  const first = times[times.findIndex((_, at) => series.some(({ values }) => values[at] != null))] ?? now;
  return [Math.min(first, now - LEAST_S), now];
}

function clockOf(ticks: readonly number[]): string[] {
  const form = ticks.every((tick) => tick % 60 === 0) ? MINUTE : SECOND;
  return ticks.map((tick) => form.format(tick * 1000));
}

export function draw(place: HTMLElement, { unit, labels }: { unit: string; labels: string[] }) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--ink-2"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  let span: [number, number] = [0, LEAST_S];
  const plot = new uPlot(
    {
      width: Math.max(place.clientWidth, 120),
      height: HEIGHT,
      legend: { show: false },
      cursor: { drag: { x: false, y: false } },
      scales: { x: { range: () => span }, y: { range: (_, least, most) => rangeOf(least, most) } },
      axes: [
        { ...axis, values: (_, ticks) => clockOf(ticks) },
        { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => `${tick} ${unit}`) },
      ],
      series: [{}, ...labels.map((label, at) => ({ label, stroke: colour(`--series-${at % 6}`), width: 2 }))],
    },
    [[], ...labels.map(() => [])] as unknown as uPlot.AlignedData,
    place,
  );
  const watch = new ResizeObserver(() =>
    plot.setSize({ width: Math.max(place.clientWidth, 120), height: HEIGHT }),
  );
  watch.observe(place);
  return {
    show(times: readonly number[], series: Values): void {
      span = spanOf(times, series);
      plot.setData([times, ...series.map(({ values }) => values)] as unknown as uPlot.AlignedData);
    },
    end(): void {
      watch.disconnect();
      plot.destroy();
    },
  };
}
