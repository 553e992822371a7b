// One run: what was recorded beside what was replayed, its grade, and what it cost.

import { useEffect, useState } from "preact/hooks";
import { GradeView } from "../../conversation/grade";
import type { Grade, Rubric, WholeGrade } from "../../conversation/types";
import { Badge, Busy, Check, Failure, Page } from "../../parts";
import { money, ms, number } from "../../parts/format";
import { useGet } from "../../rest";
import { useRoom } from "../../rooms";
import { href } from "../../router";
import { align, type Side } from "./align";
import { testFold } from "./fold";
import { Called, Talk, Words } from "./talk";
import type { Said, WholeRun } from "./types";
import { wordOf } from "./words";

export function RunPage({ testId, id }: { testId: string; id: string }) {
  const { data, error, reload } = useGet<WholeRun>(`/api/v1/runs/${encodeURIComponent(id)}`);
  const room = useRoom(data?.room ?? null, testFold);
  const replay = data?.run_id ? room.state?.runs.get(data.run_id) : undefined;
  const started = [...(room.state?.runs.values() ?? [])].findLast(
    (one) => one.original_run_resource_id === data?.original_id,
  );
  const seen = [started?.run_id, started?.state, started?.grade?.state].join(" ");
  // the room says that something happened to this run: it is read again
  useEffect(() => {
    if (started) reload();
  }, [seen]);
  const crumbs = [
    { label: "Tests", to: href("tests") },
    { label: "Test", to: href("tests", testId) },
  ];
  const talk = replay && room.state?.talks.get(replay.run_id);
  const agent = room.state?.agent ?? "Agent";
  return (
    <Page title={data?.name ?? "Run"} crumbs={crumbs}>
      {error && <Failure error={error} retry={reload} />}
      {!data && !error && <Busy label="Reading the run" />}
      {data && <Facts run={data} agent={agent} />}
      {data?.error && <Failure error={`${data.error.message} (${data.error.code})`} />}
      {data?.state === "running" && talk ? (
        <section aria-label="What is said now">
          <Talk talk={talk} running={replay?.state === "running"} agent={agent} />
        </section>
      ) : (
        data && <Beside run={data} agent={agent} />
      )}
      {data && <RunGrade run={data} />}
    </Page>
  );
}

function Facts({ run, agent }: { run: WholeRun; agent: string }) {
  const { word, tone } = wordOf(run);
  const figures = run.figures;
  const tokens = (figures?.prompt_tokens ?? 0) + (figures?.completion_tokens ?? 0);
  return (
    <p class="tests-progress" role="status">
      <Badge tone={tone}>{word}</Badge>
      <span>{agent}</span>
      <span>round {run.cycle}</span>
      {figures?.first_token_ms != null && <span>first words after {ms(figures.first_token_ms)}</span>}
      {figures?.duration_ms != null && <span>{ms(figures.duration_ms)} in all</span>}
      {tokens > 0 && <span>{number(tokens)} tokens</span>}
      {figures?.cost_usd != null && <span>{money(figures.cost_usd)}</span>}
    </p>
  );
}

function Beside({ run, agent }: { run: WholeRun; agent: string }) {
  const [marked, setMarked] = useState(true);
  const replayed = run.messages.length > 0;
  const turns = align(run.recording.messages, run.messages);
  const different = turns.filter((turn) => turn.different).length;
  return (
    <section aria-label="Recorded and replayed">
      {replayed && (
        <div class="tests-legend">
          <span>
            {different === 0
              ? "Every turn was said as recorded."
              : `${different} of ${turns.length} turns differ.`}
          </span>
          <Check label="Mark differences" checked={marked} onChange={setMarked} />
        </div>
      )}
      <div class="tests-beside tests-titles" aria-hidden="true">
        <strong>Recorded</strong>
        <strong>Replayed</strong>
      </div>
      {turns.map((turn, at) => (
        <div key={at} class="tests-beside">
          <section aria-label={`Turn ${at + 1}, recorded`}>
            <Sides sides={turn.before} all={run.recording.messages} agent="Recorded" marked={marked} />
          </section>
          <section aria-label={`Turn ${at + 1}, replayed`}>
            {replayed ? (
              <Sides sides={turn.after} all={run.messages} agent={agent} marked={marked} />
            ) : (
              <p class="note">Not replayed yet.</p>
            )}
          </section>
        </div>
      ))}
    </section>
  );
}

interface SidesProps {
  sides: readonly Side[];
  all: readonly Said[];
  agent: string;
  marked: boolean;
}

function Sides({ sides, all, agent, marked }: SidesProps) {
  return (
    <ol class="tests-talk">
      {sides.map(({ said, pieces }, at) => (
        <Message key={at} said={said} all={all} agent={agent}>
          {marked && pieces
            ? pieces.map(({ kind, text }, place) =>
                kind === "same" ? (
                  text
                ) : kind === "gone" ? (
                  <del key={place}>{text}</del>
                ) : (
                  <ins key={place}>{text}</ins>
                ),
              )
            : said.content}
        </Message>
      ))}
    </ol>
  );
}

interface MessageProps {
  said: Said;
  all: readonly Said[];
  agent: string;
  children: preact.ComponentChildren;
}

function Message({ said, all, agent, children }: MessageProps) {
  if (said.role === "tool") return null; // stands under its call
  const who = said.role === "user" ? "User" : agent;
  return (
    <>
      {said.content !== "" && (
        <Words who={who} kind={said.role} id={said.id}>
          {children}
        </Words>
      )}
      {said.tool_calls.map((call) => {
        const answer = all.find(({ role, tool_call_id }) => role === "tool" && tool_call_id === call.id);
        return (
          <Called
            key={call.id}
            name={call.name}
            given={call.arguments}
            result={answer?.content}
            matched={answer?.matched ?? null}
          />
        );
      })}
    </>
  );
}

function RunGrade({ run }: { run: WholeRun }) {
  const whole: (WholeGrade & { rubric_id?: string }) | undefined = run.grades.at(-1);
  const rubric = useGet<Rubric>(whole?.rubric_id ? `/api/v1/rubrics/${whole.rubric_id}` : null);
  if (!whole) return null;
  const grade: Grade = {
    ...whole,
    state: "done",
    analyses: whole.analyses.map((content) => ({ content })),
  };
  return (
    <section class="tests-grade">
      <h2>Grade</h2>
      <GradeView grade={grade} rubric={rubric.data} whole={whole} onJump={lead} />
    </section>
  );
}

function lead(id: string): void {
  const found = document.querySelector<HTMLElement>(`[data-message="${CSS.escape(id)}"]`);
  found?.scrollIntoView({ block: "center" });
  found?.focus({ preventScroll: true });
}
