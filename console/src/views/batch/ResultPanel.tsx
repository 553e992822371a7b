import { useEffect, useState } from "preact/hooks";
import { Badge, Busy, Empty, Failure, Link } from "../../parts";
import { money, ms, number, percent } from "../../parts/format";
import { getLines } from "../../rest";
import type { JobLive } from "./live";
import type { Operation, Result, TestCase } from "./types";
import { jobAt } from "./types";

interface Props {
  jobId: string;
  index: number;
  live: JobLive;
  back: string;
}

/** All about one run: what was asked, what was chosen, what was expected, and what it cost. */
export function ResultPanel({ jobId, index, live, back }: Props) {
  const [result, setResult] = useState<Result | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [tries, setTries] = useState(0);
  const [missing, setMissing] = useState(false);
  const isStored = index < live.stored;
  useEffect(() => {
    const stopped = new AbortController();
    setError(null);
    oneResult(jobId, { index, stopped: stopped.signal }).then(
      (found) => {
        setResult(found);
        setMissing(found === null);
      },
      (reason: Error) => stopped.signal.aborted || setError(reason),
    );
    return () => stopped.abort();
  }, [jobId, index, tries, isStored]);
  if (error) return <Failure error={error} retry={() => setTries(tries + 1)} />;
  if (missing) return <Empty title="There is no such result yet">The job has not come so far.</Empty>;
  if (!result) return <Busy label="Reading the result" />;
  const expected = live.request?.test_cases.find(
    (one) => one.name === result.test_case_name && one.prompt === result.source_prompt,
  );
  return (
    <div class="batch-result">
      <Link to={back}>Back to the matrix</Link>
      <p class="batch-verdict">
        <Badge tone={result.verdict === "Passed" ? "good" : "bad"}>{result.verdict}</Badge>{" "}
        <b>{result.test_case_name}</b> in {result.language} with {result.permutation_name} (
        {result.permutation_summary})
      </p>
      {result.error && (
        <p class="batch-error">
          <b>{result.error.code}</b>: {result.error.message}
        </p>
      )}
      <Asked result={result} />
      <Chosen result={result} expected={expected} />
      <Measured result={result} />
    </div>
  );
}

interface Wanted {
  index: number;
  stopped: AbortSignal;
}

/** Returns one result, null when there is none yet. */
async function oneResult(jobId: string, { index, stopped }: Wanted): Promise<Result | null> {
  const part = { from: index, limit: 1 };
  for await (const [found] of getLines<Result>(`${jobAt(jobId)}/results`, part, stopped)) {
    if (found) return found;
  }
  return null;
}

function Asked({ result }: { result: Result }) {
  const isTranslated = result.source_prompt !== "" && result.source_prompt !== result.prompt;
  return (
    <section aria-label="Prompt and answer">
      <h2>Prompt</h2>
      <blockquote class="batch-text">{result.prompt}</blockquote>
      {isTranslated && (
        <>
          <h3>As it is written in the job</h3>
          <blockquote class="batch-text">{result.source_prompt}</blockquote>
        </>
      )}
      <h2>Answer</h2>
      {result.final_output ? (
        <blockquote class="batch-text">{result.final_output}</blockquote>
      ) : (
        <p class="batch-quiet">No text: the model made a call.</p>
      )}
    </section>
  );
}

type Step = [name: string, wanted: string | null, got: string | null, isMet: boolean | null];

function Chosen({ result, expected }: { result: Result; expected: TestCase | undefined }) {
  const last = result.detected.at(-1);
  const asksMethod = expected?.expected_method != null && expected.expected_method !== "";
  const asksParameters = result.test_type === "api_signature_selector";
  const steps: Step[] = [
    [
      "Plugin",
      expected?.expected_plugin_used ?? null,
      result.plugin_name ?? last?.plugin_name ?? null,
      result.is_plugin_detected,
    ],
    [
      "Operation",
      expected?.expected_api_used ?? null,
      result.plugin_operation ?? last?.plugin_operation ?? null,
      result.is_plugin_operation_found,
    ],
    [
      "Method",
      expected?.expected_method ?? null,
      last?.method ?? null,
      asksMethod ? result.is_method_matched : null,
    ],
  ];
  return (
    <section aria-label="Expected and detected">
      <h2>Expected and detected</h2>
      <div class="batch-scroll">
        <table class="batch-steps">
          <thead>
            <tr>
              <th scope="col">Step</th>
              <th scope="col">Expected</th>
              <th scope="col">Detected</th>
              <th scope="col">Met</th>
            </tr>
          </thead>
          <tbody>
            {steps.map((step) => (
              <StepRow key={step[0]} step={step} />
            ))}
          </tbody>
        </table>
      </div>
      {asksParameters && <Parameters result={result} expected={expected} />}
      <h3>All detected operations</h3>
      {result.detected.length === 0 ? (
        <p class="batch-quiet">None: the model called nothing.</p>
      ) : (
        <ol class="batch-operations">
          {result.detected.map((operation, n) => (
            <OperationItem key={n} operation={operation} />
          ))}
        </ol>
      )}
    </section>
  );
}

function StepRow({ step: [name, wanted, got, isMet] }: { step: Step }) {
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{wanted ?? "–"}</td>
      <td>{got ?? "–"}</td>
      <td>
        {isMet === null ? "not asked" : isMet ? <Badge tone="good">yes</Badge> : <Badge tone="bad">no</Badge>}
      </td>
    </tr>
  );
}

function Parameters({ result, expected }: { result: Result; expected: TestCase | undefined }) {
  const wanted = expected?.expected_parameters ?? {};
  const got = result.plugin_parameters_mapped ?? result.detected.at(-1)?.parameters ?? {};
  const names = [...new Set([...Object.keys(wanted), ...Object.keys(got)])];
  return (
    <>
      <h3>
        Parameters: {percent(result.parameter_mapped_percentage / 100)} mapped{" "}
        <Badge tone={result.is_plugin_parameter_mapped ? "good" : "bad"}>
          {result.is_plugin_parameter_mapped ? "all" : "not all"}
        </Badge>
      </h3>
      <div class="batch-scroll">
        <table class="batch-steps">
          <thead>
            <tr>
              <th scope="col">Parameter</th>
              <th scope="col">Expected</th>
              <th scope="col">Detected</th>
            </tr>
          </thead>
          <tbody>
            {names.map((name) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{shown(wanted, name)}</td>
                <td>{shown(got, name)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function shown(values: Record<string, unknown>, name: string) {
  return name in values ? <code>{JSON.stringify(values[name])}</code> : "–";
}

function OperationItem({ operation }: { operation: Operation }) {
  return (
    <li>
      <code>
        {(operation.method ?? "").toUpperCase()} {operation.plugin_operation}
      </code>{" "}
      of {operation.plugin_name ?? "no plugin of the group"}
      <pre class="batch-json">{JSON.stringify(operation.parameters, null, 2)}</pre>
    </li>
  );
}

function Measured({ result }: { result: Result }) {
  const facts: [string, string][] = [
    ["Match", percent(result.match_score)],
    ["Time", ms(1000 * result.response_time_sec)],
    ["Tokens", number(result.total_llm_tokens_used)],
    ["Cost", money(result.llm_api_cost)],
    ["Model", result.answered_by ?? "no answer"],
    ["Shared answers", number(result.cached_calls)],
  ];
  if (result.ignored.length > 0) facts.push(["Settings not sent", result.ignored.join(", ")]);
  return (
    <dl class="batch-facts" aria-label="Measures">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
