import { useEffect } from "preact/hooks";
import { may } from "../../identity";
import { Badge, Busy, Button, Empty, Failure, Link, Page, Table, When } from "../../parts";
import { number, percent } from "../../parts/format";
import { href } from "../../router";
import { useNumbered } from "./numbered";
import { Sections } from "./Sections";
import { API, type ResultStatus, type ResultView } from "./types";
import type { Tone } from "./words";

const POLL_MS = 5000; // no room tells an author that a result has begun

export const STATUS_TONES: Record<ResultStatus, Tone> = {
  running: "info",
  in_progress: "info",
  pending: "quiet",
  completed: "good",
  failed: "bad",
  cancelled: "warn",
};

/** Results, newest first. */
export function Results() {
  const { items, more, error, loading, reload } = useNumbered<ResultView>(`${API}/results/`);
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") reload();
    }, POLL_MS);
    return () => clearInterval(timer);
  }, [reload]);
  const start = may("author") && <Link to={href("evaluators", "new")}>New run</Link>;
  return (
    <Page title="Evaluators" actions={start}>
      <Sections value="results" />
      {error && <Failure error={error} retry={reload} />}
      {loading && items.length === 0 && <Busy label="Reading results" />}
      {!loading && !error && items.length === 0 && (
        <Empty title="No results">
          An evaluator calls somebody's agent, plays a caller, and judges what was said. {start}
        </Empty>
      )}
      {items.length > 0 && (
        <Table
          caption="Results, newest first"
          keyOf={(result: ResultView) => String(result.id)}
          rows={items}
          columns={[
            {
              key: "name",
              title: "Result",
              render: (result: ResultView) => (
                <Link to={href("evaluators", "results", String(result.id))}>
                  {result.name || `Result ${result.id}`}
                </Link>
              ),
            },
            { key: "status", title: "Status", render: Status },
            {
              key: "runs",
              title: "Runs",
              align: "right",
              render: (result: ResultView) => number(result.total_runs_count),
            },
            {
              key: "rate",
              title: "Succeeded",
              align: "right",
              render: (result: ResultView) => percent(result.success_rate / 100),
            },
            {
              key: "created_at",
              title: "Started",
              render: (result: ResultView) => <When at={result.created_at} />,
            },
          ]}
        />
      )}
      {more && <Button onClick={more}>More results</Button>}
    </Page>
  );
}

function Status(result: ResultView) {
  return <Badge tone={STATUS_TONES[result.status]}>{result.status.replaceAll("_", " ")}</Badge>;
}
