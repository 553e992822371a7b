import { useState } from "preact/hooks";
import { Button } from "../../parts";
import { number, percent } from "../../parts/format";
import { href } from "../../router";
import { type Figures, type Filter, type Tally, totalOf } from "./tally";
import type { Brief, Verdict } from "./types";

const MAX_MARKS = 2_500; // on the page at once, so that it stays quick
const MAX_COLUMNS = 40;
const MAX_IN_CELL = 12;
const SIGNS: Record<Verdict, string> = { Passed: "✓", Failed: "✗", Error: "!" };

interface Props {
  jobId: string;
  tally: Tally;
  filter: Filter;
  search: string; // of the address, kept in links
}

/** Every case with every permutation; a mark for each language leads to the result. */
export function Matrix({ jobId, tally, filter, search }: Props) {
  const [pages, setPages] = useState(1);
  const all = [...tally.permutations.keys()].filter(
    (name) => !filter.permutation || name === filter.permutation,
  );
  const columns = all.slice(0, MAX_COLUMNS);
  const marks = Math.max(1, columns.length) * (filter.language ? 1 : Math.max(1, tally.languages.size));
  const step = Math.max(10, Math.min(100, Math.floor(MAX_MARKS / Math.min(marks, MAX_MARKS))));
  const rows = tally.rows(filter, step * pages);
  if (rows.count === 0)
    return <p class="batch-quiet">No run is like that{tally.size === 0 ? " yet" : ""}.</p>;
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls sideways has to be reached by keyboard */}
      <section class="batch-scroll" aria-label="Matrix of cases and permutations" tabIndex={0}>
        <table class="batch-matrix">
          <caption class="batch-hidden">Test cases by permutation, a mark for each language</caption>
          <thead>
            <tr>
              <th scope="col">Test case</th>
              {columns.map((name) => (
                <th key={name} scope="col">
                  <Column name={name} figures={tally.permutations.get(name)} />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.names.map((name) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                {columns.map((column) => (
                  <td key={column}>
                    <Cell jobId={jobId} runs={tally.cell(name, column, filter)} search={search} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <p class="batch-quiet">
        {number(rows.names.length)} of {number(rows.count)} cases
        {all.length > columns.length &&
          `, ${MAX_COLUMNS} of ${number(all.length)} permutations: choose one above`}
      </p>
      {rows.names.length < rows.count && <Button onClick={() => setPages(pages + 1)}>More cases</Button>}
    </>
  );
}

function Column({ name, figures }: { name: string; figures: Figures | undefined }) {
  const total = figures ? totalOf(figures) : 0;
  return (
    <>
      <span class="batch-column">{name}</span>
      <span class="batch-quiet">{figures && total > 0 ? percent(figures.passed / total) : "–"}</span>
    </>
  );
}

function Cell({ jobId, runs, search }: { jobId: string; runs: Brief[]; search: string }) {
  if (runs.length === 0) return <span class="batch-none">·</span>;
  return (
    <span class="batch-cell">
      {runs.slice(0, MAX_IN_CELL).map((run) => (
        <a
          key={run.index}
          class={`batch-mark batch-${run.verdict.toLowerCase()}`}
          href={`${href("batch", jobId, String(run.index))}${search}`}
          title={`${run.language}: ${run.verdict}`}
        >
          <span class="batch-hidden">{labelOf(run)}</span>
          <span aria-hidden="true">{SIGNS[run.verdict]}</span>
          <span class="batch-language" aria-hidden="true">
            {run.language.slice(0, 2)}
          </span>
        </a>
      ))}
      {runs.length > MAX_IN_CELL && <span class="batch-quiet">+{runs.length - MAX_IN_CELL}</span>}
    </span>
  );
}

function labelOf(run: Brief): string {
  return `${run.test_case_name}, ${run.permutation_name}, ${run.language}: ${run.verdict}`;
}
