import { useEffect, useRef, useState } from "preact/hooks";
import { theme } from "../theme";
import { number } from "./format";

export interface ChartProps {
  title: string;
  unit: string;
  series: readonly { label: string; values: readonly (number | null)[] }[];
  times: readonly number[]; // epoch seconds
}
type Plot = typeof import("./plot");

/** Lines over time; the newest, least and greatest values are also told as text. */
export function Chart({ title, unit, series, times }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<ReturnType<Plot["draw"]> | null>(null);
  const [drawing, setDrawing] = useState<Plot | null>(null);
  const shape = series.map(({ label }) => label).join("\n");
  useEffect(() => {
    let here = true;
    import("./plot").then(
      (loaded) => here && setDrawing(loaded),
      () => {}, // the text below says the same
    );
    return () => {
      here = false;
    };
  }, []);
  useEffect(() => {
    if (drawing === null || place.current === null) return;
    const drawn = drawing.draw(place.current, { unit, labels: shape.split("\n") });
    plot.current = drawn;
    drawn.show(times, series);
    return () => {
      plot.current = null;
      drawn.end();
    };
  }, [drawing, unit, shape, theme.value]);
  useEffect(() => plot.current?.show(times, series), [times, series]);
  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      <div class="chart-place" ref={place} aria-hidden="true" />
      <ul class="chart-text">
        {series.map(({ label, values }, at) => (
          <li key={label}>
            <span class={`chart-key key-${at % 6}`} aria-hidden="true" /> {label}: {summary(values, unit)}
          </li>
        ))}
      </ul>
    </figure>
  );
}

function summary(values: readonly (number | null)[], unit: string): string {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  let told = false;
  for (const value of values) {
    if (value === null) continue;
    least = Math.min(least, value);
    most = Math.max(most, value);
    told = true;
  }
  if (!told) return "nothing yet";
  const last = values.at(-1) ?? null;
  const now = last === null ? "nothing" : `${number(last)} ${unit}`.trim();
  return `${now} now, ${number(least)} to ${number(most)}`;
}
