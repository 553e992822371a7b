// Two tests of a benchmark: which runs got better or worse, and how the figures changed.

import { useEffect, useState } from "preact/hooks";
import { Badge, Busy, Empty, Failure, Page, Table, type Tone, When } from "../../parts";
import { useGet } from "../../rest";
import { href } from "../../router";
import { FiguresTable } from "./figures";
import { runsOf } from "./live";
import { type Change, changes, type Pair } from "./pairs";
import type { Run, Test } from "./types";
import { wordOf } from "./words";

const SAID: Record<Change, { word: string; tone: Tone }> = {
  better: { word: "Better", tone: "good" },
  worse: { word: "Worse", tone: "bad" },
  same: { word: "Same", tone: "quiet" },
  unknown: { word: "Not judged in both", tone: "warn" },
};

export function Compare({ one, other }: { one: string; other: string }) {
  const first = useGet<Test>(`/api/v1/tests/${encodeURIComponent(one)}`);
  const second = useGet<Test>(`/api/v1/tests/${encodeURIComponent(other)}`);
  const crumbs = [{ label: "Tests", to: href("tests") }];
  const error = first.error ?? second.error;
  const again = () => {
    first.reload();
    second.reload();
  };
  const [a, b] = [first.data, second.data];
  return (
    <Page title="Two tests" crumbs={crumbs}>
      {error && <Failure error={error} retry={again} />}
      {!error && !(a && b) && <Busy label="Reading the tests" />}
      {a && b && a.benchmark.id !== b.benchmark.id && (
        <Empty title="These tests are of different benchmarks">Choose two tests of the same benchmark.</Empty>
      )}
      {a && b && a.benchmark.id === b.benchmark.id && (
        <Both before={older(a, b)} after={a === older(a, b) ? b : a} />
      )}
    </Page>
  );
}

function older(a: Test, b: Test): Test {
  return a.created_at <= b.created_at ? a : b;
}

function Both({ before, after }: { before: Test; after: Test }) {
  const [runs, setRuns] = useState<[Run[], Run[]] | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    setError(null);
    Promise.all([runsOf(before.id, abort.signal), runsOf(after.id, abort.signal)]).then(
      setRuns,
      (why) => abort.signal.aborted || setError(why),
    );
    return () => abort.abort();
  }, [before.id, after.id, turn]);
  if (error) return <Failure error={error} retry={() => setTurn((n) => n + 1)} />;
  if (!runs) return <Busy label="Reading the runs" />;
  const pairs = changes([before, runs[0]], [after, runs[1]]);
  const count = (change: Change) => pairs.filter((pair) => pair.change === change).length;
  return (
    <>
      <p class="tests-progress">
        <span>
          {before.benchmark.name}: <When at={before.created_at} /> and <When at={after.created_at} />
        </span>
        {(Object.keys(SAID) as Change[])
          .filter((change) => count(change) > 0)
          .map((change) => (
            <Badge key={change} tone={SAID[change].tone}>
              {count(change)} {SAID[change].word.toLowerCase()}
            </Badge>
          ))}
      </p>
      <Table
        caption="Each run, what changed first"
        rows={pairs}
        keyOf={({ key }) => key}
        columns={[
          { key: "name", title: "Recorded run" },
          { key: "agent", title: "Agent" },
          { key: "before", title: "Earlier", render: ({ before: run }) => <Result run={run} /> },
          { key: "after", title: "Later", render: ({ after: run }) => <Result run={run} /> },
          {
            key: "change",
            title: "Change",
            render: ({ change }: Pair) => <Badge tone={SAID[change].tone}>{SAID[change].word}</Badge>,
          },
        ]}
      />
      <FiguresTable
        caption="Figures of both tests"
        columns={[
          { name: "Earlier", figures: before.figures },
          { name: "Later", figures: after.figures },
        ]}
      />
    </>
  );
}

function Result({ run }: { run: Run | null }) {
  if (!run) return <span class="note">–</span>;
  const points = run.percentage === null ? "" : ` ${Math.round(run.percentage)} %`;
  return (
    <a href={href("tests", run.test_id, run.id)}>
      {wordOf(run).word}
      {points}
    </a>
  );
}
