// Lets an earlier graded conversation of the same scenario stand for this one.

import { myId } from "../../identity";
import { Badge, Button, Failure, When } from "../../parts";
import { number } from "../../parts/format";
import { usePages } from "../../rest";
import { call } from "../../socket";
import { type Attempt, type ChatRow, counting, type Entry } from "./content";

interface Props {
  attempt: Attempt;
  entry: Entry;
  reload: () => void;
}

export function Previous({ attempt, entry, reload }: Props) {
  const read = usePages<ChatRow>("/api/v1/chats", { profile_id: myId(), limit: 100 });
  const usable = read.items.filter(
    (chat) => chat.scenario.id === entry.scenario_id && chat.ended && counting(chat.grades) !== null,
  );
  const use = async (chat: ChatRow) => {
    await call("attempt_use_previous", {
      attempt_id: attempt.id,
      previous_chat_map: { [entry.chat_entry_id]: chat.id },
    });
    reload();
  };
  return (
    <section class="practise-previous" aria-labelledby="practise-previous">
      <h3 id="practise-previous">Use an earlier conversation</h3>
      {read.error && <Failure error={read.error} retry={read.reload} />}
      {usable.length === 0 && !read.loading && (
        <p class="practise-quiet">You have no graded conversation of this scenario yet.</p>
      )}
      <ul class="practise-history">
        {usable.map((chat) => (
          <PreviousRow key={chat.id} chat={chat} onUse={() => use(chat)} />
        ))}
      </ul>
      {read.more && (
        <Button onClick={read.more} busy={read.loading}>
          Look further back
        </Button>
      )}
    </section>
  );
}

function PreviousRow({ chat, onUse }: { chat: ChatRow; onUse: () => Promise<void> }) {
  const grade = counting(chat.grades);
  return (
    <li>
      <div class="practise-grow">
        <When at={chat.created_at} /> with {chat.persona.name}
        {grade && (
          <p class="practise-quiet">
            {number(grade.score ?? 0)} of {number(grade.total_points ?? 0)} points{" "}
            <Badge tone={grade.passed ? "good" : "bad"}>{grade.passed ? "Passed" : "Not passed"}</Badge>
          </p>
        )}
      </div>
      <Button onClick={onUse}>Use this one</Button>
    </li>
  );
}
