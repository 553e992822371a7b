/** Draws charts; apart, so that the library is loaded with the first chart only. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

const HEIGHT = 180;
type Values = readonly { values: readonly (number | null)[] }[];

/** From zero to a little above the greatest value; zeros alone lie at the bottom of a small scale. */
function rangeOf(least: number | null, most: number | null): [number, number] {
  if (!most || most <= 0) return [Math.min(0, least ?? 0), 1];
  const [from, to] = uPlot.rangeNum(Math.min(0, least ?? 0), most, 0.1, true);
  return [from ?? 0, to ?? most];
}

export function draw(place: HTMLElement, { unit, labels }: { unit: string; labels: string[] }) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--ink-2"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  const plot = new uPlot(
    {
      width: Math.max(place.clientWidth, 120),
      height: HEIGHT,
      legend: { show: false },
      cursor: { drag: { x: false, y: false } },
      scales: { y: { range: (_, least, most) => rangeOf(least, most) } },
      axes: [axis, { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => `${tick} ${unit}`) }],
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
      plot.setData([times, ...series.map(({ values }) => values)] as unknown as uPlot.AlignedData);
    },
    end(): void {
      watch.disconnect();
      plot.destroy();
    },
  };
}
