// Adds up the results of a job as they come: the matrix of cases and permutations, and figures of each part.

import type { Brief, Verdict } from "./types";

export interface Figures {
  passed: number;
  failed: number;
  errors: number;
  tokens: number;
  cost: number;
  seconds: number; // of runs that were completed
  score: number;
}

export interface Filter {
  failed: boolean;
  language: string | null;
  permutation: string | null;
  text: string;
}

function noFigures(): Figures {
  return { passed: 0, failed: 0, errors: 0, tokens: 0, cost: 0, seconds: 0, score: 0 };
}

export function totalOf(figures: Figures): number {
  return figures.passed + figures.failed + figures.errors;
}

type Cells = Map<string, Brief[]>; // by permutation

/** Results by their index, each counted once, whatever order they come in. */
export class Tally {
  readonly total = noFigures();
  readonly permutations = new Map<string, Figures>();
  readonly languages = new Map<string, Figures>();
  /** Results without a hole from the first one on. */
  known = 0;
  private readonly cases = new Map<string, Cells>();
  private readonly seen = new Set<number>();

  /** Sets the order of rows and columns before results come. */
  expect(parts: { cases?: string[]; permutations?: string[]; languages?: string[] }): void {
    for (const name of parts.permutations ?? []) figuresIn(this.permutations, name);
    for (const name of parts.languages ?? []) figuresIn(this.languages, name);
    for (const name of parts.cases ?? []) this.cells(name);
  }

  /** Takes a result; false when it is there already. */
  add(brief: Brief): boolean {
    if (this.seen.has(brief.index)) return false;
    this.seen.add(brief.index);
    while (this.seen.has(this.known)) this.known += 1;
    count(this.total, brief);
    count(figuresIn(this.permutations, brief.permutation_name), brief);
    count(figuresIn(this.languages, brief.language), brief);
    const cells = this.cells(brief.test_case_name);
    const cell = cells.get(brief.permutation_name);
    if (cell) cell.push(brief);
    else cells.set(brief.permutation_name, [brief]);
    return true;
  }

  get size(): number {
    return this.seen.size;
  }

  /** Returns the names of the cases that a filter leaves, so many at most, and how many there are. */
  rows(filter: Filter, most: number): { names: string[]; count: number } {
    const names: string[] = [];
    let found = 0;
    const text = filter.text.trim().toLowerCase();
    for (const [name, cells] of this.cases) {
      if (text && !name.toLowerCase().includes(text)) continue;
      if (filter.failed && !hasFailed(cells, filter)) continue;
      found += 1;
      if (names.length < most) names.push(name);
    }
    return { names, count: found };
  }

  /** Returns the results of a case with a permutation that a filter leaves, by language. */
  cell(name: string, permutation: string, filter: Filter): Brief[] {
    const found = this.cases.get(name)?.get(permutation) ?? [];
    return found
      .filter((brief) => isLeft(brief, filter))
      .sort((a, b) => a.language.localeCompare(b.language));
  }

  private cells(name: string): Cells {
    let cells = this.cases.get(name);
    if (!cells) {
      cells = new Map();
      this.cases.set(name, cells);
    }
    return cells;
  }
}

function hasFailed(cells: Cells, filter: Filter): boolean {
  for (const [permutation, runs] of cells) {
    if (filter.permutation !== null && permutation !== filter.permutation) continue;
    if (runs.some((brief) => isLeft(brief, filter))) return true;
  }
  return false;
}

function isLeft(brief: Brief, filter: Filter): boolean {
  if (filter.failed && brief.verdict === "Passed") return false;
  return filter.language === null || brief.language === filter.language;
}

function figuresIn(parts: Map<string, Figures>, name: string): Figures {
  let figures = parts.get(name);
  if (!figures) {
    figures = noFigures();
    parts.set(name, figures);
  }
  return figures;
}

const COUNTERS: Record<Verdict, "passed" | "failed" | "errors"> = {
  Passed: "passed",
  Failed: "failed",
  Error: "errors",
};

function count(figures: Figures, brief: Brief): void {
  figures[COUNTERS[brief.verdict]] += 1;
  figures.tokens += brief.total_llm_tokens_used;
  figures.cost += brief.llm_api_cost;
  figures.score += brief.match_score;
  if (brief.verdict !== "Error") figures.seconds += brief.response_time_sec;
}
