// One criterion of a grade: its points, the standard that was reached, why, and with which words.

import { Badge, Meter } from "../parts";
import { number } from "../parts/format";
import { Quoted } from "./quoted";
import type { Criterion, Standard } from "./types";

export interface Told {
  id: string;
  name: string;
  description: string;
  points: number | null;
  passPoints: number | null;
  judged: Criterion | null;
  standard: Standard | null;
}

interface Props {
  criterion: Told;
  onJump: (messageId: string, quote: string) => void;
}

export function CriterionView({ criterion, onJump }: Props) {
  const { judged } = criterion;
  return (
    <li class={`conv-criterion${judged ? "" : " conv-waiting"}`} data-criterion={criterion.id}>
      <h3>{criterion.name}</h3>
      {judged ? (
        <Judged criterion={criterion} judged={judged} onJump={onJump} />
      ) : (
        <Waiting criterion={criterion} />
      )}
    </li>
  );
}

function Waiting({ criterion }: { criterion: Told }) {
  return (
    <>
      {criterion.description && <p>{criterion.description}</p>}
      <p class="conv-hint">Is being judged</p>
    </>
  );
}

function Judged({ criterion, judged, onJump }: Props & { judged: Criterion }) {
  const { points: total, passPoints, standard } = criterion;
  const passed = judged.passed ?? (passPoints === null || judged.points >= passPoints);
  const dropped = judged.dropped_quotes ?? 0;
  return (
    <>
      <p class="conv-points">
        <strong>
          {number(judged.points)}
          {total !== null && ` of ${number(total)}`} points
        </strong>{" "}
        <Badge tone={passed ? "good" : "warn"}>{passed ? "Reached" : "Below the mark"}</Badge>
      </p>
      {total !== null && (
        <Meter
          label={criterion.name}
          value={judged.points}
          max={Math.max(total, 1)}
          tone={passed ? "good" : "warn"}
        />
      )}
      {standard && (
        <p class="conv-standard">
          <span class="conv-label">{standard.name || `Level ${standard.level}`}</span> {standard.description}
        </p>
      )}
      {judged.feedback && <p class="conv-feedback">{judged.feedback}</p>}
      {judged.quotes.map((quote) => (
        <Quoted key={quote.message_id + quote.text} id={quote.message_id} text={quote.text} onJump={onJump} />
      ))}
      {dropped > 0 && (
        <p class="conv-hint">
          {dropped === 1 ? "One quote was" : `${dropped} quotes were`} left out: nobody said that.
        </p>
      )}
    </>
  );
}
