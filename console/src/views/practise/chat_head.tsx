// With whom one talks, how much time there is, and the end.

import { TimerView } from "../../conversation/timer";
import type { ChatState } from "../../conversation/types";
import { Badge, Button, confirm, Link } from "../../parts";
import { href } from "../../router";
import { call } from "../../socket";
import { Dot } from "./briefing";
import { type Attempt, current } from "./content";

interface Props {
  attempt: Attempt;
  chatId: string;
  state: ChatState;
  open: boolean;
  away: boolean;
  reload: () => void;
}

export function ChatHead({ attempt, chatId, state, open, away, reload }: Props) {
  const chat = state.chat;
  const graded = chat?.rubric_id != null;
  const end = async (grade: boolean) => {
    if (
      !grade &&
      graded &&
      !(await confirm("End without a grade?", "You can still ask for one afterwards.", "End"))
    ) {
      return;
    }
    await call("attempt_end", { attempt_id: attempt.id, chat_id: chatId, grade });
    reload();
  };
  return (
    <header class="practise-head">
      <div class="practise-grow">
        <h2>{chat?.scenario.name ?? "Conversation"}</h2>
        {chat && (
          <p class="practise-persona">
            <Dot color={chat.persona.color} /> {chat.persona.name}
          </p>
        )}
      </div>
      {away && (
        <span role="status">
          <Badge tone="warn">The line is away; nothing is lost</Badge>
        </span>
      )}
      <TimerView timer={state.timer} running={open} />
      {open ? (
        <div class="practise-row">
          <Button kind="primary" onClick={() => end(graded)}>
            {graded ? "End and grade" : "End"}
          </Button>
          {graded && <Button onClick={() => end(false)}>End without a grade</Button>}
        </div>
      ) : (
        <Onward attempt={attempt} chatId={chatId} state={state} />
      )}
    </header>
  );
}

/** Where it goes from a conversation that is over. */
function Onward({ attempt, chatId, state }: Pick<Props, "attempt" | "chatId" | "state">) {
  const here = attempt.entries.some((entry) => entry.chat_id === chatId && entry.state === "open");
  if (here && !state.ended) return <Badge tone="info">Being graded</Badge>;
  const next = current(attempt);
  const label = attempt.status === "ended" || !next ? "All grades" : "Next scenario";
  return (
    <span class="practise-next">
      <Link to={href("practise", "attempt", attempt.id)}>{label}</Link>
    </span>
  );
}
