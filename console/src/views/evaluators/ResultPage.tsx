import { Badge, Busy, Choice, Failure, Meter, Page, TextField, When } from "../../parts";
import { number, percent } from "../../parts/format";
import { go, href, route } from "../../router";
import { Actions } from "./Actions";
import type { Filter } from "./board";
import { Grid } from "./Grid";
import { nameOf } from "./kinds";
import { type ResultLive, useResult } from "./live";
import { useNumbered } from "./numbered";
import { Reports } from "./Reports";
import { STATUS_TONES } from "./Results";
import { RunPanel } from "./RunPanel";
import { API, type Kept, type ResultView } from "./types";
import { ENDED } from "./words";

interface Props {
  resultId: number;
  runId: number | null;
}

/** One result: how far it is, its runs as they go, and one of them. */
export function ResultPage({ resultId, runId }: Props) {
  const { live, drawn } = useResult(resultId);
  drawn.value; // draws again with it
  const titleOf = useColumnTitles();
  const { result, error } = live;
  const crumbs = [{ label: "Evaluators", to: href("evaluators") }];
  if (!result) {
    return (
      <Page title={`Result ${resultId}`} crumbs={crumbs}>
        {error ? (
          <Failure error={error} retry={() => void live.refresh()} />
        ) : (
          <Busy label="Reading the result" />
        )}
      </Page>
    );
  }
  const filter = filterOf(route.value.query);
  const back = addressOf(resultId, filter);
  const name = result.name || `Result ${result.id}`;
  if (runId !== null) {
    const run = live.board.runs.get(runId);
    return (
      <Page title={run ? run.scenario_name : `Run ${runId}`} crumbs={[...crumbs, { label: name, to: back }]}>
        <RunPanel
          runId={runId}
          run={run}
          talk={live.board.talks.get(runId)?.turns ?? null}
          room={result.run_as_text ? null : `result_${resultId}`}
          back={back}
        />
      </Page>
    );
  }
  return (
    <Page title={name} crumbs={crumbs} actions={<Actions result={result} live={live} />}>
      <Progress result={result} live={live} />
      {error && <Failure error={error} retry={() => void live.refresh()} />}
      <Facts result={result} live={live} />
      <Filters live={live} filter={filter} titleOf={titleOf} />
      <Grid live={live} filter={filter} titleOf={titleOf} />
      <Reports resultId={resultId} />
    </Page>
  );
}

type TitleOf = (column: { personality: number | null; profile: number | null }) => string;

/** Returns what names a column by its personality and test profile. */
function useColumnTitles(): TitleOf {
  const personalities = useNumbered<Kept>(`${API}/personalities/`, 200).items;
  const profiles = useNumbered<Kept>(`${API}/test-profiles/`, 200).items;
  const named = (kind: "personalities" | "test-profiles", items: Kept[], id: number | null): string[] => {
    if (id === null) return [];
    const found = items.find((one) => one.id === id);
    return [found ? nameOf(kind, found) : `number ${id}`];
  };
  return ({ personality, profile }) =>
    [
      ...named("personalities", personalities, personality),
      ...named("test-profiles", profiles, profile),
    ].join(", ") || "Runs";
}

function Progress({ result, live }: { result: ResultView; live: ResultLive }) {
  const counts = live.board.counts();
  const ended = [...ENDED].reduce((sum, word) => sum + (counts.get(word) ?? 0), 0);
  const total = Math.max(result.total_runs_count, live.board.runs.size);
  return (
    <div class="evaluators-progress">
      <p>
        <Badge tone={STATUS_TONES[result.status]}>{result.status.replaceAll("_", " ")}</Badge>{" "}
        {live.place === "away" && <Badge tone="warn">away: it comes back by itself</Badge>} Started{" "}
        <When at={result.started_at ?? result.created_at} />.
      </p>
      <Meter label="Runs that have ended" value={ended} max={Math.max(1, total)} />
      <p class="evaluators-count">
        {number(ended)} of {number(total)} runs
      </p>
    </div>
  );
}

function Facts({ result, live }: { result: ResultView; live: ResultLive }) {
  const counts = live.board.counts();
  const total = live.board.runs.size;
  const succeeded = counts.get("succeeded") ?? 0;
  const facts: [string, string][] = [
    ["Succeeded", total ? `${number(succeeded)} (${percent(succeeded / total)})` : "–"],
    ["Failed", number(counts.get("failed") ?? 0)],
    ["Caller erred", number(counts.get("caller erred") ?? 0)],
    ["Broken", number(counts.get("broken") ?? 0)],
    ["Talking", number(counts.get("talking") ?? 0)],
  ];
  for (const [n, rate] of (result.pass_hat_k ?? []).entries()) facts.push([`pass^${n + 1}`, percent(rate)]);
  return (
    <dl class="evaluators-facts" aria-label="Figures">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

const SHOWN: { value: Filter["show"]; label: string }[] = [
  { value: "all", label: "All runs" },
  { value: "failed", label: "Failed only" },
  { value: "succeeded", label: "Succeeded" },
  { value: "going", label: "Going on" },
];

function Filters({ live, filter, titleOf }: { live: ResultLive; filter: Filter; titleOf: TitleOf }) {
  const set = (change: Partial<Filter>): void =>
    go(addressOf(live.resultId, { ...filter, ...change }), { replace: true });
  const columns = live.board.columns();
  return (
    <search class="evaluators-bar" aria-label="Filters">
      <Choice
        label="Show"
        value={filter.show}
        options={SHOWN}
        onChange={(show) => set({ show: show as Filter["show"] })}
      />
      {columns.length > 1 && (
        <Choice
          label="Personality and profile"
          value={filter.column ?? ""}
          options={[
            { value: "", label: "All" },
            ...columns.map((column) => ({ value: column.key, label: titleOf(column) })),
          ]}
          onChange={(column) => set({ column: column || null })}
        />
      )}
      <TextField label="Scenario" value={filter.text} onInput={(text) => set({ text })} />
    </search>
  );
}

function filterOf(query: URLSearchParams): Filter {
  const show = SHOWN.find((one) => one.value === query.get("show"))?.value ?? "all";
  return { show, column: query.get("column"), text: query.get("scenario") ?? "" };
}

function addressOf(resultId: number, filter: Filter): string {
  const query = new URLSearchParams();
  if (filter.show !== "all") query.set("show", filter.show);
  if (filter.column) query.set("column", filter.column);
  if (filter.text) query.set("scenario", filter.text);
  const text = query.toString();
  return `${href("evaluators", "results", String(resultId))}${text ? `?${text}` : ""}`;
}
