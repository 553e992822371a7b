/** The beats of processes, second by second for ten minutes. Pure. */

import type { OpsBeat } from "../../wire";

export type Figure =
  | "connections"
  | "replies_running"
  | "deltas_per_s"
  | "deliveries_per_s"
  | "jobs"
  | "waiting"
  | "errors"
  | "loop_lag_ms";

export interface Heard {
  beat: OpsBeat;
  at: number; // ms
}

/** What is kept, by process, oldest first. */
export type Beats = Map<string, Heard[]>;

export const KEPT_S = 600;
/** A process that has been silent for so long is missing, not late. */
export const SILENT_MS = 2_500;

/** Keep a beat, and nothing that is older than ten minutes. */
export function keep(beats: Beats, beat: OpsBeat, at: number): void {
  const heard = beats.get(beat.process) ?? [];
  heard.push({ beat, at });
  beats.set(beat.process, heard);
  for (const [process, list] of beats) {
    let old = 0;
    while (old < list.length && (list[old]?.at ?? at) < at - KEPT_S * 1000) old++;
    if (old > 0) list.splice(0, old);
    if (list.length === 0) beats.delete(process);
  }
}

/** The seconds that charts show, up to `now`; epoch seconds. */
export function secondsUpTo(now: number): number[] {
  const last = Math.floor(now / 1000);
  return Array.from({ length: KEPT_S }, (_, index) => last - KEPT_S + 1 + index);
}

/**
 * A figure of one process in each second; null where it was silent.
 *
 * Beats come about once a second, so now and then a second has none although the process is well: such a
 * second has the figure of the beat before it, and no errors of its own.
 */
export function lineOf(
  heard: readonly Heard[],
  figure: Figure,
  seconds: readonly number[],
): (number | null)[] {
  const line: (number | null)[] = [];
  let next = 0;
  let before: Heard | null = null;
  for (const second of seconds) {
    let sum: number | null = null;
    for (; next < heard.length; next++) {
      const one = heard[next] as Heard;
      if (one.at >= (second + 1) * 1000) break;
      const inside = one.at >= second * 1000;
      if (inside) sum = figure === "errors" ? (sum ?? 0) + one.beat.errors : figureOf(one.beat, figure);
      before = one;
    }
    line.push(sum ?? held(before, figure, second));
  }
  return line;
}

function held(before: Heard | null, figure: Figure, second: number): number | null {
  if (!before || (second + 1) * 1000 - before.at > SILENT_MS) return null;
  return figure === "errors" ? 0 : figureOf(before.beat, figure);
}

/** A figure of a beat; what waits is told by one process for all, and added up over its kinds. */
function figureOf(beat: OpsBeat, figure: Figure): number | null {
  if (figure !== "waiting") return beat[figure];
  return beat.waiting ? Object.values(beat.waiting).reduce((sum, count) => sum + count, 0) : null;
}

/** All processes together: sums, the worst lag, and what one tells for all; null where all were silent. */
export function together(lines: (number | null)[][], figure: Figure): (number | null)[] {
  const [first = []] = lines;
  return first.map((_, index) => {
    const there = lines.map((line) => line[index] ?? null).filter((value) => value !== null);
    if (there.length === 0) return null;
    return figure === "loop_lag_ms" || figure === "waiting"
      ? Math.max(...there)
      : there.reduce((sum, value) => sum + value, 0);
  });
}

/** The newest beat of each process, by name; those that are silent longer than charts go back are gone. */
export function newest(beats: Beats): Heard[] {
  return [...beats.values()]
    .flatMap((heard) => heard.at(-1) ?? [])
    .sort((one, other) => one.beat.process.localeCompare(other.beat.process));
}
