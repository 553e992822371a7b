import { may } from "../../identity";
import {
  Badge,
  Busy,
  Button,
  Check,
  Choice,
  confirm,
  Failure,
  Link,
  Meter,
  Page,
  TextField,
  When,
} from "../../parts";
import { money, ms, number, percent } from "../../parts/format";
import { send } from "../../rest";
import { go, href, route } from "../../router";
import { Downloads } from "./Downloads";
import { TONES } from "./Jobs";
import { type JobLive, MAX_HELD, useJob } from "./live";
import { Matrix } from "./Matrix";
import { ResultPanel } from "./ResultPanel";
import { type Figures, type Filter, totalOf } from "./tally";
import type { Job } from "./types";
import { jobAt } from "./types";

interface Props {
  jobId: string;
  index: number | null;
}

/** One job: how far it is, the matrix as it fills, and one of its results. */
export function JobPage({ jobId, index }: Props) {
  const { live, drawn } = useJob(jobId);
  drawn.value; // draws again with it
  const { job, tally, error } = live;
  const filter = filterOf(route.value.query);
  const search = searchOf(filter);
  const back = `${href("batch", jobId)}${search}`;
  if (!job) {
    return (
      <Page title="Batch job" crumbs={[{ label: "Batch jobs", to: href("batch") }]}>
        {error ? (
          <Failure error={error} retry={() => void live.refresh()} />
        ) : (
          <Busy label="Reading the job" />
        )}
      </Page>
    );
  }
  const crumbs = [{ label: "Batch jobs", to: href("batch") }];
  if (index !== null) {
    crumbs.push({ label: job.name, to: back });
    return (
      <Page title={`Result ${index}`} crumbs={crumbs}>
        <ResultPanel jobId={jobId} index={index} live={live} back={back} />
      </Page>
    );
  }
  return (
    <Page title={job.name} crumbs={crumbs} actions={<Actions job={job} live={live} />}>
      <Progress job={job} live={live} />
      {error && <Failure error={error} retry={() => void live.refresh()} />}
      {live.stored > MAX_HELD && (
        <p class="batch-note" role="note">
          The page shows the first {number(MAX_HELD)} of {number(live.stored)} results: the figures, the
          matrix and the filters are of these. The downloads have all.
        </p>
      )}
      <Facts figures={tally.total} />
      <Filters jobId={jobId} live={live} filter={filter} />
      <Matrix jobId={jobId} tally={tally} filter={filter} search={search} />
      <Downloads jobId={jobId} />
    </Page>
  );
}

function Actions({ job, live }: { job: Job; live: JobLive }) {
  if (!may("author")) return null;
  const isOpen = job.status === "queued" || job.status === "running";
  const stop = async (): Promise<void> => {
    if (!(await confirm("Stop this job?", "Results that there are stay.", "Stop the job"))) return;
    await send("DELETE", jobAt(job.job_id));
    await live.refresh();
  };
  return (
    <>
      {isOpen && (
        <Button kind="danger" onClick={stop} disabled={job.cancelling}>
          {job.cancelling ? "Stopping" : "Stop"}
        </Button>
      )}
      <Link to={`${href("batch", "new")}?from=${job.job_id}`}>Start again</Link>
    </>
  );
}

function Progress({ job, live }: { job: Job; live: JobLive }) {
  const done = live.stored;
  return (
    <div class="batch-progress">
      <p>
        <Badge tone={TONES[job.status]}>{job.status}</Badge>{" "}
        {live.place === "away" && <Badge tone="warn">away: it comes back by itself</Badge>}{" "}
        {job.version && <span>Version {job.version}. </span>}
        Started <When at={job.started_on ?? job.created_at} />.{" "}
        {live.filling && <span>Reading results…</span>}
      </p>
      <Meter label="Runs that are done" value={done} max={job.total_runs} />
      <p class="batch-count">
        {number(done)} of {number(job.total_runs)} runs
      </p>
      {live.job?.summary?.error && <p role="alert">{live.job.summary.error.message}</p>}
    </div>
  );
}

function Facts({ figures }: { figures: Figures }) {
  const total = totalOf(figures);
  const completed = total - figures.errors;
  const facts: [string, string][] = [
    ["Passed", total ? `${number(figures.passed)} (${percent(figures.passed / total)})` : "–"],
    ["Failed", number(figures.failed)],
    ["Errors", number(figures.errors)],
    ["Tokens", number(figures.tokens)],
    ["Cost", money(figures.cost)],
    ["Mean time", completed ? ms((1000 * figures.seconds) / completed) : "–"],
  ];
  return (
    <dl class="batch-facts" aria-label="Figures">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Filters({ jobId, live, filter }: { jobId: string; live: JobLive; filter: Filter }) {
  const set = (change: Partial<Filter>): void =>
    go(`${href("batch", jobId)}${searchOf({ ...filter, ...change })}`, { replace: true });
  const languages = [...live.tally.languages.keys()];
  const permutations = [...live.tally.permutations.keys()];
  return (
    <search class="batch-bar" aria-label="Filters">
      <Check label="Failed only" checked={filter.failed} onChange={(failed) => set({ failed })} />
      <Choice
        label="Language"
        value={filter.language ?? ""}
        options={choices("All languages", languages, filter.language)}
        onChange={(language) => set({ language: language || null })}
      />
      <Choice
        label="Permutation"
        value={filter.permutation ?? ""}
        options={choices("All permutations", permutations, filter.permutation)}
        onChange={(permutation) => set({ permutation: permutation || null })}
      />
      <TextField label="Test case" value={filter.text} onInput={(text) => set({ text })} />
    </search>
  );
}

function choices(all: string, names: string[], chosen: string | null) {
  const there = chosen !== null && !names.includes(chosen) ? [chosen, ...names] : names;
  return [{ value: "", label: all }, ...there.map((name) => ({ value: name, label: name }))];
}

function filterOf(query: URLSearchParams): Filter {
  return {
    failed: query.get("failed") === "1",
    language: query.get("language"),
    permutation: query.get("permutation"),
    text: query.get("case") ?? "",
  };
}

function searchOf(filter: Filter): string {
  const query = new URLSearchParams();
  if (filter.failed) query.set("failed", "1");
  if (filter.language) query.set("language", filter.language);
  if (filter.permutation) query.set("permutation", filter.permutation);
  if (filter.text) query.set("case", filter.text);
  const text = query.toString();
  return text ? `?${text}` : "";
}
