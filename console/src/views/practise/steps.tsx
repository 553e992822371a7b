// The scenarios of an attempt in their order, each with its state.

import { Link } from "../../parts";
import { useGet } from "../../rest";
import { href } from "../../router";
import { type Attempt, current, type Entry } from "./content";

const STATES: Record<Entry["state"], string> = {
  pending: "to come",
  lobby: "waiting to begin",
  open: "open",
  done: "done",
};

export function Steps({ attempt, chatId }: { attempt: Attempt; chatId: string | null }) {
  const shown = attempt.entries.filter((entry) => entry.chat_id || entry.cycle === attempt.cycle);
  const at = current(attempt);
  if (shown.length < 2) return null;
  return (
    <nav class="practise-steps" aria-label="Scenarios of this attempt">
      <ol>
        {shown.map((entry) => (
          <Step
            key={entry.chat_entry_id}
            attempt={attempt}
            entry={entry}
            here={chatId ? entry.chat_id === chatId : entry === at}
          />
        ))}
      </ol>
    </nav>
  );
}

function Step({ attempt, entry, here }: { attempt: Attempt; entry: Entry; here: boolean }) {
  const name = useScenarioName(entry.scenario_id);
  const state = entry.reused ? "from an earlier attempt" : STATES[entry.state];
  const round = entry.cycle > 0 ? `, round ${entry.cycle + 1}` : "";
  const to = entry.chat_id
    ? href("practise", "attempt", attempt.id, "chat", entry.chat_id)
    : entry.state === "lobby"
      ? href("practise", "attempt", attempt.id)
      : null;
  return (
    <li class={`practise-step practise-step-${entry.state}`} aria-current={here ? "step" : undefined}>
      {to ? <Link to={to}>{name}</Link> : <span>{name}</span>}
      <span class="practise-quiet">
        {state}
        {round}
      </span>
    </li>
  );
}

/** Its name, or a word for it while it is read or when it does not exist any more. */
export function useScenarioName(id: string): string {
  return useGet<{ name: string }>(`/api/v1/scenarios/${encodeURIComponent(id)}`).data?.name ?? "Scenario";
}
