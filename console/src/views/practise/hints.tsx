// Hints for the next message, shown to whoever asks for them.

import type { Shown } from "../../conversation/branches";
import type { Hint } from "../../conversation/types";

export function Hints({ hints, shown }: { hints: Hint[]; shown: Shown[] }) {
  const last = shown.at(-1)?.id;
  const fitting = hints.filter((hint) => hint.message_id === last);
  if (fitting.length === 0) return null;
  return (
    <details class="practise-hints">
      <summary>{fitting.length === 1 ? "A hint" : `${fitting.length} hints`}</summary>
      <ul>
        {fitting.map((hint) => (
          <li key={hint.idx}>{hint.hint}</li>
        ))}
      </ul>
    </details>
  );
}
