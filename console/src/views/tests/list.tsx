// Benchmarks that can be tested, and the tests that there are.

import { useState } from "preact/hooks";
import { may } from "../../identity";
import { Badge, Busy, Button, Check, Empty, Failure, Link, Page, Table, When } from "../../parts";
import { number, percent } from "../../parts/format";
import { usePages } from "../../rest";
import { go, goFrom, href } from "../../router";
import { startTest } from "./start";
import type { Benchmark, TestRow } from "./types";

export function Tests() {
  return (
    <Page title="Tests">
      <Benchmarks />
      <Earlier />
    </Page>
  );
}

function Benchmarks() {
  const list = usePages<Benchmark>("/api/v1/benchmarks");
  const [infinite, setInfinite] = useState(false);
  return (
    <section aria-labelledby="tests-benchmarks">
      <h2 id="tests-benchmarks">Benchmarks</h2>
      {list.error && <Failure error={list.error} retry={list.reload} />}
      {list.loading && list.items.length === 0 && <Busy label="Reading benchmarks" />}
      {!list.loading && !list.error && list.items.length === 0 && (
        <Empty title="There is no benchmark yet">
          Load a content pack that has one, or import recorded conversations.
        </Empty>
      )}
      {may("author") && list.items.length > 0 && (
        <Check
          label="Go on round after round"
          hint="Shows how often a run passes again and again. Each round costs as much as the first."
          checked={infinite}
          onChange={setInfinite}
        />
      )}
      <ul class="tests-benchmarks">
        {list.items.map((benchmark) => (
          <li key={benchmark.id} class="tests-benchmark">
            <div>
              <h3>{benchmark.name}</h3>
              {benchmark.description && <p>{benchmark.description}</p>}
              <p class="note">
                {number(benchmark.run_count ?? 0)} recorded runs, {number(benchmark.agent_ids.length)} agents
              </p>
            </div>
            {may("author") && (
              <Button
                kind="primary"
                label={`Test ${benchmark.name}`}
                onClick={async () => {
                  const then = goFrom();
                  then(href("tests", await startTest(benchmark.id, infinite)));
                }}
              >
                Test
              </Button>
            )}
          </li>
        ))}
      </ul>
      {list.more && <Button onClick={list.more}>More benchmarks</Button>}
    </section>
  );
}

function Earlier() {
  const list = usePages<TestRow>("/api/v1/tests");
  const [chosen, setChosen] = useState<string[]>([]);
  const first = list.items.find(({ id }) => id === chosen[0]);
  const toggle = (id: string, on: boolean) =>
    setChosen((now) => (on ? [...now, id].slice(-2) : now.filter((other) => other !== id)));
  const columns = [
    {
      key: "benchmark",
      title: "Test of",
      render: (test: TestRow) => <Link to={href("tests", test.id)}>{test.benchmark.name}</Link>,
    },
    { key: "created_at", title: "Begun", render: (test: TestRow) => <When at={test.created_at} /> },
    { key: "status", title: "State", render: (test: TestRow) => <Status test={test} /> },
    { key: "passed", title: "Passed", align: "right" as const, render: (test: TestRow) => passed(test) },
    {
      key: "compare",
      title: "Compare",
      render: (test: TestRow) => (
        <input
          type="checkbox"
          class="tests-pick"
          aria-label={`Compare ${test.benchmark.name} of ${test.created_at}`}
          checked={chosen.includes(test.id)}
          disabled={first !== undefined && first.benchmark.id !== test.benchmark.id}
          onChange={(event) => toggle(test.id, event.currentTarget.checked)}
        />
      ),
    },
  ];
  return (
    <section aria-labelledby="tests-earlier">
      <div class="tests-head">
        <h2 id="tests-earlier">Tests so far</h2>
        <Button disabled={chosen.length !== 2} onClick={() => go(href("tests", "compare", ...chosen))}>
          Compare two
        </Button>
      </div>
      {list.error && <Failure error={list.error} retry={list.reload} />}
      {list.loading && list.items.length === 0 && <Busy label="Reading tests" />}
      {!list.loading && !list.error && (
        <Table
          caption="Newest first"
          columns={columns}
          rows={list.items}
          keyOf={({ id }) => id}
          empty={<Empty title="Nothing has been tested yet">Test a benchmark above.</Empty>}
        />
      )}
      {list.more && <Button onClick={list.more}>More tests</Button>}
    </section>
  );
}

export function Status({ test }: { test: Pick<TestRow, "status" | "counts"> }) {
  const { pending, queued, running, grading } = test.counts;
  if (running + queued > 0) return <Badge tone="info">Running</Badge>;
  if (grading > 0) return <Badge tone="info">Being graded</Badge>;
  if (test.status === "ended") return <Badge tone="quiet">Ended</Badge>;
  return pending > 0 ? <Badge tone="warn">Waiting</Badge> : <Badge tone="good">Replayed</Badge>;
}

function passed({ counts }: TestRow): string {
  const judged = counts.graded + counts.failed;
  return judged === 0 ? "–" : `${percent(counts.passed / judged)} of ${number(judged)}`;
}
