/** The figures of beats: what they are called, what they mean, and how they are written. */

import { ms, number } from "../../parts/format";
import type { Figure } from "./beats";

export interface Shown {
  figure: Figure;
  title: string;
  /** Behind the values of a chart. */
  unit: string;
  says: string;
  write(value: number): string;
  /** Told by one process for all: there is nothing to add up, and nothing to show of each. */
  common?: true;
}

export const FIGURES: Shown[] = [
  {
    figure: "connections",
    title: "Connections",
    unit: "",
    says: "Open sockets and event streams.",
    write: number,
  },
  {
    figure: "deliveries_per_s",
    title: "Deliveries",
    unit: "/s",
    says: "Entries written to those who follow rooms.",
    write: (value) => `${number(Math.round(value))}/s`,
  },
  {
    figure: "deltas_per_s",
    title: "Parts written",
    unit: "/s",
    says: "Parts of replies and replays, as models say them.",
    write: (value) => `${number(Math.round(value))}/s`,
  },
  {
    figure: "replies_running",
    title: "Replies",
    unit: "",
    says: "Replies and answers that models are giving.",
    write: number,
  },
  {
    figure: "jobs",
    title: "Jobs in work",
    unit: "",
    says: "Runs of tests, batch jobs, results and pipelines that somebody is at.",
    write: number,
  },
  {
    figure: "waiting",
    title: "Jobs waiting",
    unit: "",
    says: "Runs of tests, batch jobs, results and documents that nobody has begun. Growing for long: start a worker.",
    write: number,
    common: true,
  },
  {
    figure: "loop_lag_ms",
    title: "Loop lag",
    unit: "ms",
    says: "The latest that a timer came, in the slowest process. Above 100 ms everybody feels it.",
    write: ms,
  },
  {
    figure: "errors",
    title: "Errors",
    unit: "/s",
    says: "Lines that were logged as errors. The log says which.",
    write: (value) => `${number(value)}/s`,
  },
];
