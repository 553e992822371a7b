// A test: recorded runs against agents, filling in as they are replayed and graded.

import { useState } from "preact/hooks";
import { may } from "../../identity";
import { Badge, Busy, Button, Choice, confirm, Failure, Page } from "../../parts";
import { number } from "../../parts/format";
import { download } from "../../rest";
import { href } from "../../router";
import type { Row } from "./board";
import { FiguresTable } from "./figures";
import { Status } from "./list";
import { MOST, useTest } from "./live";
import { endAll, group, stopAll } from "./start";
import type { Invocation, Run, Test } from "./types";
import { wordOf } from "./words";

const FORMATS = { html: "html", csv: "csv", json: "json", junit: "xml" } as const;
const CRUMBS = [{ label: "Tests", to: href("tests") }];

export function TestPage({ id }: { id: string }) {
  const live = useTest(id);
  const [round, setRound] = useState<number | null>(null);
  const { test, error, board } = live;
  if (!test) {
    return (
      <Page title="Test" crumbs={CRUMBS}>
        {error ? <Failure error={error} retry={() => live.read(true)} /> : <Busy label="Reading the test" />}
      </Page>
    );
  }
  const cycle = round ?? board.cycles;
  return (
    <Page
      title={test.benchmark.name}
      crumbs={CRUMBS}
      actions={may("author") && test.status === "open" ? <Actions test={test} /> : undefined}
    >
      {error && <Failure error={error} retry={() => live.read(true)} />}
      <Progress test={test} />
      {board.cycles > 1 && (
        <Choice
          label="Round"
          value={String(cycle)}
          options={Array.from({ length: board.cycles }, (_, at) => ({
            value: String(at + 1),
            label: `Round ${at + 1}`,
          }))}
          onChange={(value) => setRound(Number(value) === board.cycles ? null : Number(value))}
        />
      )}
      <Matrix testId={id} invocations={test.invocations} rows={board.rows(cycle)} />
      {board.size >= MOST && (
        <p class="note">{number(board.size)} runs are shown, which is the most; the reports have all.</p>
      )}
      <FiguresTable
        caption="Figures of each agent"
        columns={test.invocations.map((one) => ({ name: one.agent.name, figures: one.figures ?? null }))}
      />
      <section aria-labelledby="tests-reports">
        <h2 id="tests-reports">Reports</h2>
        <div class="actions">
          {Object.entries(FORMATS).map(([format, ending]) => (
            <Button
              key={format}
              onClick={() =>
                download(`/api/v1/tests/${encodeURIComponent(id)}/report?format=${format}`, `test.${ending}`)
              }
            >
              {format === "junit" ? "JUnit" : format.toUpperCase()}
            </Button>
          ))}
        </div>
      </section>
    </Page>
  );
}

function Actions({ test }: { test: Test }) {
  const { pending, running, queued } = test.counts;
  const end = async () => {
    const sure = await confirm(
      "End this test?",
      "What runs is stopped, what was replayed is graded. It cannot be taken up again.",
      "End and grade",
    );
    if (sure) await endAll(test.id);
  };
  return (
    <>
      {running + queued > 0 ? (
        <Button onClick={() => stopAll(test.invocations)}>Stop</Button>
      ) : (
        pending > 0 && (
          <Button
            onClick={async () => {
              for (const { id } of test.invocations) await group(test.id, id);
            }}
          >
            Replay the rest
          </Button>
        )
      )}
      <Button kind="primary" onClick={end}>
        End and grade
      </Button>
    </>
  );
}

function Progress({ test }: { test: Test }) {
  const { total, pending, queued, running, grading, graded, passed } = test.counts;
  return (
    <p class="tests-progress" role="status">
      <Status test={test} />
      <span>
        {number(total - pending - queued - running)} of {number(total)} replayed
      </span>
      <span>
        {number(passed)} of {number(graded)} graded passed
      </span>
      {grading > 0 && <span>{number(grading)} being graded</span>}
      {test.infinite_mode && <Badge tone="info">Round after round</Badge>}
    </p>
  );
}

interface MatrixProps {
  testId: string;
  invocations: readonly Invocation[];
  rows: readonly Row[];
}

function Matrix({ testId, invocations, rows }: MatrixProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="table-frame" tabIndex={0} aria-label="Runs by agent">
      <table class="tests-matrix">
        <caption>Recorded runs against agents</caption>
        <thead>
          <tr>
            <th scope="col">Recorded run</th>
            {invocations.map(({ id, agent }) => (
              <th key={id} scope="col">
                {agent.name}
                {agent.model && <span class="tests-model">{agent.model}</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.original}>
              <th scope="row">{row.name}</th>
              {invocations.map(({ id, agent }) => (
                <td key={id}>
                  <Cell testId={testId} run={row.cells.get(id)} agent={agent.name} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Cell({ testId, run, agent }: { testId: string; run: Run | undefined; agent: string }) {
  if (!run) return <span class="note">–</span>;
  const { word, tone } = wordOf(run);
  const points = run.score === null ? "" : ` ${number(run.score)}`;
  const of = run.score === null || run.total_points === null ? "" : ` of ${number(run.total_points)}`;
  return (
    <a
      class={`tests-cell tests-${tone}`}
      href={href("tests", testId, run.id)}
      aria-label={`${run.name}, ${agent}: ${word}${points}${of}`}
    >
      <Badge tone={tone}>{word}</Badge>
      {points && (
        <span class="tests-points">
          {points}
          {of}
        </span>
      )}
    </a>
  );
}
