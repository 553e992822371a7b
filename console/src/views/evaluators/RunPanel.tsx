import { useEffect } from "preact/hooks";
import { may } from "../../identity";
import { Badge, Busy, Button, Empty, Failure, Link, Sound } from "../../parts";
import { percent } from "../../parts/format";
import { send, useGet } from "../../rest";
import { Listen } from "../../voice/listen";
import { clock } from "./board";
import { Transcript } from "./Transcript";
import {
  API,
  type ExpectedOutcome,
  type Item,
  type MetricValue,
  type RunView,
  type Turn,
  type WholeRun,
} from "./types";
import { TONES, wordOf } from "./words";

interface Props {
  runId: number;
  run: RunView | undefined; // as the result's board has it
  talk: Turn[] | null; // what is said while it goes on
  room: string | null; // where it can be heard while it goes on
  back: string;
}

/** One run: what was said and called with its times, and what is thought of it. */
export function RunPanel({ runId, run, talk, room, back }: Props) {
  const { data, error, reload } = useGet<WholeRun>(`${API}/runs/${runId}/`);
  const endedAt = run?.ended_at ?? null;
  useEffect(() => reload(), [endedAt, run?.success]);
  if (error) return <Failure error={error} retry={reload} />;
  if (!data) return <Busy label="Reading the run" />;
  const word = wordOf(run ?? data, talk !== null);
  const isOver = data.ended_at !== null;
  const said = isOver ? data.transcript_object : (talk ?? []).map(itemOf);
  return (
    <div class="evaluators-run">
      <p>
        <Link to={back}>Back to the runs</Link>
      </p>
      <p>
        <Badge tone={TONES[word]}>{word}</Badge> Run {data.id}
        {data.number !== null && `, number ${data.number}`}
        {data.duration !== null && `, ${data.duration} long`}
        {data.metadata.ended_reason && `, ${data.metadata.ended_reason}`}
        {data.attempt > 1 && `, attempt ${data.attempt}`}
        {!isOver && may("author") && <EndCall runId={runId} />}
      </p>
      {data.error_message && <p class="evaluators-error">{data.error_message}</p>}
      {data.simulator_error && (
        <p class="evaluators-error">
          <b>Our caller erred:</b> {data.simulator_error}
        </p>
      )}
      {data.expected_outcome && <Outcomes found={data.expected_outcome} />}
      {data.evaluation.metrics.length > 0 && <Metrics metrics={data.evaluation.metrics} />}
      {data.judge_reliable === false && <p>The judge is small: do not rely on what it says.</p>}
      <h2>Transcript</h2>
      {data.recording_url && <Sound path={data.recording_url} label="Play the call" />}
      {room && !isOver && <Listen room={room} runId={runId} names={["Caller", "Agent"]} />}
      {said.length === 0 ? (
        <Empty title="Nothing was said">{isOver ? "" : "It is shown as it is said."}</Empty>
      ) : (
        <Transcript items={said} first={isOver ? 0 : (talk?.[0]?.index ?? 0)} isLive={!isOver} />
      )}
    </div>
  );
}

function itemOf(turn: Turn): Item {
  const { role, content, start_time } = turn;
  const item: Item = { role, content, start_time, end_time: start_time, time: clock(start_time) };
  return turn.data ? { ...item, data: turn.data } : item;
}

function EndCall({ runId }: { runId: number }) {
  return (
    <>
      {" "}
      <Button
        kind="danger"
        onClick={() => send("POST", `${API}/runs/${runId}/end_call/`).then(() => undefined)}
      >
        End this call
      </Button>
    </>
  );
}

function Outcomes({ found }: { found: ExpectedOutcome }) {
  return (
    <section aria-label="Expected outcome">
      <h2>
        Expected outcome: {percent(found.score / 100)}{" "}
        <Badge tone={found.passed ? "good" : "bad"}>{found.passed ? "reached" : "missed"}</Badge>
      </h2>
      <ul class="evaluators-outcomes">
        {found.outcomes.map((one) => (
          <li key={one.outcome}>
            <Badge tone={one.met ? "good" : "bad"}>{one.met ? "met" : "not met"}</Badge> <b>{one.outcome}</b>
            <br />
            {one.explanation}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Metrics({ metrics }: { metrics: MetricValue[] }) {
  return (
    <section aria-label="Metrics">
      <h2>Metrics</h2>
      <div class="evaluators-scroll">
        <table class="evaluators-grid">
          <thead>
            <tr>
              <th scope="col">Metric</th>
              <th scope="col">Value</th>
              <th scope="col">Rule</th>
              <th scope="col">Why</th>
            </tr>
          </thead>
          <tbody>
            {metrics.map((metric) => (
              <tr key={`${metric.id} ${metric.name}`}>
                <th scope="row">{metric.name}</th>
                <td>{metric.value === null ? "none" : String(metric.value)}</td>
                <td>
                  {metric.passed === null ? (
                    "informs"
                  ) : (
                    <Badge tone={metric.passed ? "good" : "bad"}>
                      {metric.passed ? "holds" : "does not hold"}
                    </Badge>
                  )}
                </td>
                <td>{metric.error ?? metric.explanation}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
