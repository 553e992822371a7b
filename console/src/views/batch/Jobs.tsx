import { useEffect } from "preact/hooks";
import { may } from "../../identity";
import { Badge, Busy, Button, Choice, Empty, Failure, Link, Page, Table, When } from "../../parts";
import { number, percent } from "../../parts/format";
import { usePages } from "../../rest";
import { go, href, route } from "../../router";
import type { Job, JobStatus } from "./types";

const PAGE = 50;
const POLL_MS = 5000; // no room tells an author that a job has begun

export const TONES: Record<JobStatus, "good" | "bad" | "warn" | "info" | "quiet"> = {
  queued: "quiet",
  running: "info",
  completed: "good",
  cancelled: "warn",
  failed: "bad",
};

const STATUSES = [
  { value: "", label: "All jobs" },
  ...Object.keys(TONES).map((status) => ({ value: status, label: status })),
];

/** The list of jobs, newest first. */
export function Jobs() {
  const status = route.value.query.get("status") ?? "";
  const { items, more, error, loading, reload } = usePages<Job>("/api/jobs", {
    status: status || null,
    limit: PAGE,
  });
  const isShort = items.length <= PAGE; // who reads further back is left where they are
  useEffect(() => {
    if (!isShort) return;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") reload();
    }, POLL_MS);
    return () => clearInterval(timer);
  }, [reload, isShort]);
  return (
    <Page title="Batch jobs" actions={may("author") && <Link to={href("batch", "new")}>New job</Link>}>
      <div class="batch-bar">
        <Choice label="Show" value={status} options={STATUSES} onChange={(to) => go(withStatus(to))} />
      </div>
      {error && <Failure error={error} retry={reload} />}
      {loading && items.length === 0 && <Busy label="Reading jobs" />}
      {!loading && !error && items.length === 0 && (
        <Empty title="No jobs">
          A job asks models to choose a plugin and to fill in a call, many times over.{" "}
          {may("author") && <Link to={href("batch", "new")}>Start one</Link>}
        </Empty>
      )}
      {items.length > 0 && (
        <Table
          caption="Batch jobs, newest first"
          keyOf={(job: Job) => job.job_id}
          rows={items}
          columns={[
            { key: "name", title: "Job", render: (job: Job) => <Name job={job} /> },
            {
              key: "status",
              title: "Status",
              render: (job: Job) => <Badge tone={TONES[job.status]}>{job.status}</Badge>,
            },
            { key: "results", title: "Runs", align: "right", render: done },
            { key: "passed", title: "Passed", align: "right", render: accuracy },
            { key: "created_at", title: "Started", render: (job: Job) => <When at={job.created_at} /> },
          ]}
        />
      )}
      {more && <Button onClick={more}>More jobs</Button>}
    </Page>
  );
}

function withStatus(status: string): string {
  return status ? `${href("batch")}?status=${status}` : href("batch");
}

function Name({ job }: { job: Job }) {
  return (
    <Link to={href("batch", job.job_id)}>
      {job.name} {job.version && <span class="batch-quiet">{job.version}</span>}
    </Link>
  );
}

function done(job: Job): string {
  return job.results < job.total_runs
    ? `${number(job.results)} of ${number(job.total_runs)}`
    : number(job.results);
}

function accuracy(job: Job): string {
  return job.results > 0 ? percent(job.passed / job.results) : "–";
}
