// Figures of agents or tests, side by side.

import { Table } from "../../parts";
import { money, ms, number, percent } from "../../parts/format";
import type { Figures } from "./types";

type Told = (figures: Figures) => string;
const or = (value: number | null | undefined, how: (value: number) => string) =>
  value === null || value === undefined ? "–" : how(value);

const ROWS: readonly [string, Told][] = [
  ["Pass rate", (f) => or(f.pass_rate, percent)],
  ["Passed", (f) => `${number(f.passed)} of ${number(f.judged)}`],
  ["Mean of points", (f) => or(f.percentage?.mean, (mean) => percent(mean / 100))],
  ["First words, median", (f) => or(f.first_token_ms?.p50, ms)],
  ["Length, median", (f) => or(f.duration_ms?.p50, ms)],
  ["Length, 95 %", (f) => or(f.duration_ms?.p95, ms)],
  ["Tokens", (f) => number(f.usage.prompt_tokens + f.usage.completion_tokens)],
  ["Cost of replays", (f) => money(f.usage.cost_usd)],
  ["Cost of grading", (f) => money(f.grading.cost_usd)],
  ["Tool calls as recorded", (f) => `${number(f.tool_calls.matched)} of ${number(f.tool_calls.made)}`],
];
const MOST_K = 8;

export interface FigureColumn {
  name: string;
  figures: Figures | null;
}

export function FiguresTable({ caption, columns }: { caption: string; columns: readonly FigureColumn[] }) {
  const rows = [...ROWS];
  const longest = Math.max(0, ...columns.map(({ figures }) => figures?.pass_k.length ?? 0));
  for (let k = 2; k <= Math.min(longest, MOST_K); k += 1) {
    rows.push([
      `Passes ${k} times in a row`,
      (f) => or(f.pass_k.find((one) => one.k === k)?.value ?? null, percent),
    ]);
  }
  return (
    <Table
      caption={caption}
      rows={rows}
      keyOf={([name]) => name}
      columns={[
        { key: "name", title: "Figure", render: ([name]) => name },
        ...columns.map(({ name, figures }, at) => ({
          key: String(at),
          title: name,
          align: "right" as const,
          render: ([, told]: [string, Told] | readonly [string, Told]) => (figures ? told(figures) : "–"),
        })),
      ]}
    />
  );
}
