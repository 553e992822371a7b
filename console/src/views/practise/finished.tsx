// An attempt that has ended: every scenario with its grade, and the exports.

import { Badge, Button, Empty, Link } from "../../parts";
import { number, percent } from "../../parts/format";
import { download, useGet } from "../../rest";
import { href } from "../../router";
import { type Attempt, type ChatRow, counting, type Entry } from "./content";
import { useScenarioName } from "./steps";

const FORMATS = [
  { format: "html", label: "Page to print" },
  { format: "csv", label: "Table (CSV)" },
  { format: "json", label: "Everything (JSON)" },
] as const;

export function Finished({ attempt }: { attempt: Attempt }) {
  const { data } = useGet<{ items: ChatRow[] }>("/api/v1/chats", { attempt_id: attempt.id, limit: 200 });
  const chats = new Map((data?.items ?? []).map((chat) => [chat.id, chat]));
  const practised = attempt.entries.filter((entry) => entry.chat_id);
  return (
    <section class="practise-finished" aria-labelledby="practise-finished">
      <h2 id="practise-finished">{attempt.all_scenarios_complete ? "All done" : "This attempt has ended"}</h2>
      {practised.length === 0 && (
        <Empty title="Nothing was practised">The attempt was ended before its first conversation.</Empty>
      )}
      <ol class="practise-history">
        {practised.map((entry) => (
          <Result
            key={entry.chat_entry_id}
            attempt={attempt}
            entry={entry}
            chat={chats.get(entry.chat_id ?? "")}
          />
        ))}
      </ol>
      <div class="practise-row">
        <Exports attempt={attempt} />
      </div>
      <p>
        <Link to={href("practise")}>Practise something else</Link>
      </p>
    </section>
  );
}

function Exports({ attempt }: { attempt: Attempt }) {
  return (
    <>
      {FORMATS.map(({ format, label }) => (
        <Button
          key={format}
          title={`Download: ${label}`}
          onClick={() =>
            download(
              `/api/v1/attempts/${attempt.id}/export?format=${format}`,
              `attempt-${attempt.id}.${format}`,
            )
          }
        >
          {label}
        </Button>
      ))}
    </>
  );
}

function Result({ attempt, entry, chat }: { attempt: Attempt; entry: Entry; chat: ChatRow | undefined }) {
  const name = useScenarioName(entry.scenario_id);
  const grade = chat ? counting(chat.grades) : null;
  return (
    <li>
      <div class="practise-grow">
        <Link to={href("practise", "attempt", attempt.id, "chat", entry.chat_id ?? "")}>
          {chat?.scenario.name ?? name}
        </Link>
        <p class="practise-quiet">
          {chat && `with ${chat.persona.name}`}
          {entry.reused && ", from an earlier attempt"}
        </p>
      </div>
      {grade ? (
        <p class="practise-result">
          <strong>
            {number(grade.score ?? 0)} of {number(grade.total_points ?? 0)}
          </strong>{" "}
          <span class="practise-quiet">{percent((grade.percentage ?? 0) / 100)}</span>{" "}
          <Badge tone={grade.passed ? "good" : "bad"}>{grade.passed ? "Passed" : "Not passed"}</Badge>
        </p>
      ) : (
        <Badge tone="quiet">No grade</Badge>
      )}
    </li>
  );
}
