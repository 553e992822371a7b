import { useState } from "preact/hooks";
import { Button } from "../../parts";
import { number } from "../../parts/format";
import { href, route } from "../../router";
import type { Column, Filter } from "./board";
import type { ResultLive } from "./live";
import type { RunView } from "./types";
import { SIGNS } from "./words";

const STEP = 50; // scenarios
const MAX_COLUMNS = 40;
const MAX_IN_CELL = 30;

interface Props {
  live: ResultLive;
  filter: Filter;
  titleOf(column: Column): string;
}

/** Every scenario with every personality and test profile; a mark for each run leads to it. */
export function Grid({ live, filter, titleOf }: Props) {
  const [pages, setPages] = useState(1);
  const { board } = live;
  const all = board.columns().filter((column) => filter.column === null || column.key === filter.column);
  const columns = all.slice(0, MAX_COLUMNS);
  const { rows, count } = board.rows(filter, STEP * pages);
  if (count === 0)
    return <p class="evaluators-quiet">No run is like that{board.runs.size === 0 ? " yet" : ""}.</p>;
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls sideways has to be reached by keyboard */}
      <section class="evaluators-scroll" aria-label="Scenarios and their runs" tabIndex={0}>
        <table class="evaluators-grid">
          <caption class="evaluators-hidden">
            Scenarios by personality and test profile, a mark for each run
          </caption>
          <thead>
            <tr>
              <th scope="col">Scenario</th>
              {columns.map((column) => (
                <th key={column.key} scope="col">
                  {titleOf(column)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.scenario}>
                <th scope="row">{row.name}</th>
                {columns.map((column) => (
                  <td key={column.key}>
                    <Cell live={live} runs={row.cells.get(column.key) ?? []} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <p class="evaluators-quiet">
        {number(rows.length)} of {number(count)} scenarios
        {all.length > columns.length && `, ${MAX_COLUMNS} of ${number(all.length)} columns: choose one above`}
      </p>
      {rows.length < count && <Button onClick={() => setPages(pages + 1)}>More scenarios</Button>}
    </>
  );
}

function Cell({ live, runs }: { live: ResultLive; runs: RunView[] }) {
  const [isWhole, setIsWhole] = useState(false);
  const shown = isWhole ? runs : runs.slice(0, MAX_IN_CELL);
  return (
    <span class="evaluators-cell">
      {shown.map((run) => (
        <Mark key={run.id} live={live} run={run} />
      ))}
      {shown.length < runs.length && (
        <Button onClick={() => setIsWhole(true)}>{number(runs.length - shown.length)} more</Button>
      )}
    </span>
  );
}

function Mark({ live, run }: { live: ResultLive; run: RunView }) {
  const word = live.board.word(run);
  const turns = live.board.talks.get(run.id)?.turns.length ?? 0;
  const search = route.value.query.toString();
  const which = run.number === null ? run.scenario_name : `${run.scenario_name}, number ${run.number}`;
  return (
    <a
      class={`evaluators-mark evaluators-${word.replace(" ", "-")}`}
      href={`${href("evaluators", "results", String(live.resultId), String(run.id))}${search ? `?${search}` : ""}`}
      title={run.error_message ?? word}
    >
      <span class="evaluators-hidden">{`${which}: ${word}`}</span>
      <span aria-hidden="true">{SIGNS[word]}</span>
      <span class="evaluators-small" aria-hidden="true">
        {word === "talking" ? turns : (run.duration ?? "")}
      </span>
    </a>
  );
}
