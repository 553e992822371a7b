// A grade as it builds up, and when it is whole.

import { Badge, Meter } from "../parts";
import { number, percent } from "../parts/format";
import { CriterionView, type Told } from "./criterion";
import { Quoted } from "./quoted";
import type { Criterion, Grade, Improvement, Rubric, Strength, WholeGrade } from "./types";

export interface GradeProps {
  grade: Grade;
  rubric: Rubric | null;
  /** What GET /api/v1/grades/{id} answers, when it is done. */
  whole: WholeGrade | null;
  /** Lead to a message and mark words in it. */
  onJump: (messageId: string, quote: string) => void;
}

export function GradeView({ grade, rubric, whole, onJump }: GradeProps) {
  const criteria = told(grade, rubric, whole);
  const { strengths, improvements } = whole ?? grade;
  const analyses = whole ? whole.analyses : grade.analyses.map((analysis) => analysis.content);
  return (
    <section class="conv-grade" aria-label="Grade" data-state={grade.state}>
      <Verdict grade={grade} whole={whole} criteria={criteria} />
      {whole && <Reliability whole={whole} />}
      <ol class="conv-criteria">
        {criteria.map((criterion) => (
          <CriterionView key={criterion.id} criterion={criterion} onJump={onJump} />
        ))}
      </ol>
      <Strengths items={strengths} onJump={onJump} />
      <Improvements items={improvements} onJump={onJump} />
      {analyses.length > 0 && (
        <div class="conv-part">
          <h3>What happened</h3>
          {analyses.map((analysis) => (
            <p key={analysis}>{analysis}</p>
          ))}
        </div>
      )}
      {whole && <Judges whole={whole} />}
      <Progress grade={grade} criteria={criteria} />
    </section>
  );
}

/** Every criterion of the rubric in its order, with what it was given if it was judged already. */
function told(grade: Grade, rubric: Rubric | null, whole: WholeGrade | null): Told[] {
  const given = new Map<string, Criterion>();
  for (const group of [...grade.groups, ...(whole?.groups ?? [])]) {
    given.set(group.standard_group_id, { ...given.get(group.standard_group_id), ...group });
  }
  const ids = new Set([...(rubric?.groups ?? []).map((group) => group.id), ...given.keys()]);
  const shown = grade.state === "running" ? [...ids] : [...ids].filter((id) => given.has(id));
  return shown.map((id, index) => {
    const group = rubric?.groups.find((candidate) => candidate.id === id);
    const judged = given.get(id) ?? null;
    const standard = group?.standards.find((candidate) => candidate.id === judged?.standard_id) ?? null;
    return {
      id,
      name: judged?.name ?? group?.name ?? `Criterion ${index + 1}`,
      description: group?.description ?? "",
      points: judged?.total_points ?? group?.points ?? null,
      passPoints: judged?.pass_points ?? group?.pass_points ?? null,
      judged,
      standard,
    };
  });
}

function Verdict({ grade, whole, criteria }: { grade: Grade; whole: WholeGrade | null; criteria: Told[] }) {
  if (grade.state === "failed") {
    return <p class="conv-verdict">This grade could not be made. The conversation can be graded again.</p>;
  }
  if (grade.state === "running") {
    const judged = criteria.filter((criterion) => criterion.judged).length;
    return (
      <div class="conv-verdict">
        <p>
          {judged} of {criteria.length} criteria judged
        </p>
        <Meter label="Criteria judged" value={judged} max={Math.max(criteria.length, 1)} tone="info" />
      </div>
    );
  }
  return (
    <div class="conv-verdict">
      <p class="conv-score">
        <strong>
          {number(grade.score ?? 0)} of {number(grade.total_points ?? 0)} points
        </strong>{" "}
        <span class="conv-percent">{percent((grade.percentage ?? 0) / 100)}</span>{" "}
        <Badge tone={grade.passed ? "good" : "bad"}>{grade.passed ? "Passed" : "Not passed"}</Badge>
      </p>
      <Meter
        label="Points"
        value={grade.score ?? 0}
        max={Math.max(grade.total_points ?? 0, 1)}
        tone={grade.passed ? "good" : "bad"}
      />
      {whole && <p class="conv-told">{whole.description}</p>}
    </div>
  );
}

/** A screen reader is told each criterion as it is judged, and the result. */
function Progress({ grade, criteria }: { grade: Grade; criteria: Told[] }) {
  const newest = grade.groups.at(-1)?.standard_group_id;
  const criterion = criteria.find((candidate) => candidate.id === newest);
  const result =
    grade.state === "done"
      ? `Graded: ${number(grade.score ?? 0)} of ${number(grade.total_points ?? 0)} points, ${grade.passed ? "passed" : "not passed"}.`
      : criterion?.judged
        ? `${criterion.name}: ${number(criterion.judged.points)} of ${number(criterion.points ?? 0)} points.`
        : "";
  return (
    <p class="visually-hidden" aria-live="polite">
      {result}
    </p>
  );
}

function Reliability({ whole }: { whole: WholeGrade }) {
  const doubtful = whole.judges.filter((judge) => !judge.reliable);
  if (doubtful.length === 0) return null;
  return (
    <p class="conv-doubt">
      <Badge tone="warn">Not reliable</Badge>{" "}
      {doubtful[0]?.note || `The judge ${doubtful[0]?.model} cannot be relied on.`}
    </p>
  );
}

type Lead = GradeProps["onJump"];

function Strengths({ items, onJump }: { items: Strength[]; onJump: Lead }) {
  if (items.length === 0) return null;
  return (
    <div class="conv-part">
      <h3>Strengths</h3>
      <ul>
        {items.map((item) => (
          <li key={`${item.name}${item.message_id}`}>
            <strong>{item.name}</strong>
            <p>{item.description}</p>
            {item.message_id !== null &&
              item.highlights.map((highlight) => (
                <Quoted
                  key={highlight.section}
                  id={item.message_id}
                  text={highlight.section}
                  onJump={onJump}
                />
              ))}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Improvements({ items, onJump }: { items: Improvement[]; onJump: Lead }) {
  if (items.length === 0) return null;
  return (
    <div class="conv-part">
      <h3>What could be better</h3>
      <ul>
        {items.map((item) => (
          <li key={`${item.name}${item.message_id}`}>
            <strong>{item.name}</strong>
            <p>{item.description}</p>
            {item.replacements.map((replacement) => (
              <div class="conv-replace" key={replacement.section}>
                <span class="conv-label">You said</span>
                <Quoted id={item.message_id} text={replacement.section} onJump={onJump} />
                <span class="conv-label">Better</span>
                <p>{replacement.replace}</p>
              </div>
            ))}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Judges({ whole }: { whole: WholeGrade }) {
  if (whole.judges.length === 0) return null;
  const names = new Map(whole.groups.map((group) => [group.standard_group_id, group.name ?? "Criterion"]));
  return (
    <details class="conv-judges">
      <summary>
        {whole.judges.length === 1 ? "1 judge" : `${whole.judges.length} judges`}
        {whole.agreement !== null && `, agreement ${whole.agreement.toFixed(2)}`}
      </summary>
      <ul>
        {whole.judges.map((judge, index) => (
          <li key={index}>
            <strong>{judge.model}</strong> {!judge.reliable && <Badge tone="warn">Not reliable</Badge>}
            {judge.note && <p>{judge.note}</p>}
            <p>
              {Object.entries(judge.points)
                .map(([id, points]) => `${names.get(id) ?? "Criterion"}: ${number(points)}`)
                .join(", ")}
            </p>
          </li>
        ))}
      </ul>
      {whole.agreement !== null && (
        <p class="conv-hint">Krippendorff's alpha: 1 is full agreement, 0 is chance. The median counts.</p>
      )}
    </details>
  );
}
