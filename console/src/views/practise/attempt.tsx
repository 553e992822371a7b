// One attempt: its scenarios as steps, and the lobby, chat or result of one of them.

import { useEffect } from "preact/hooks";
import { Busy, Button, confirm, Failure, Page } from "../../parts";
import { go, href } from "../../router";
import { call } from "../../socket";
import { ChatPage } from "./chat";
import { type Attempt, current } from "./content";
import { Finished } from "./finished";
import { Standing } from "./history";
import { type Halt, useAttempt } from "./live";
import { Lobby } from "./lobby";
import { Steps } from "./steps";

export function AttemptPage({ id, chatId }: { id: string; chatId: string | null }) {
  const { data: attempt, error, reload, halt } = useAttempt(id);
  const crumbs = [{ label: "Practise", to: href("practise") }];
  if (!attempt) {
    return (
      <Page title="Practise" crumbs={crumbs}>
        {error ? <Failure error={error} retry={reload} /> : <Busy label="Reading the attempt" />}
      </Page>
    );
  }
  return (
    <Page title={attempt.name} crumbs={crumbs} actions={<Actions attempt={attempt} reload={reload} />}>
      {error && <Failure error={error} retry={reload} />}
      <Steps attempt={attempt} chatId={chatId} />
      {chatId ? (
        <ChatPage key={chatId} attempt={attempt} chatId={chatId} reload={reload} />
      ) : (
        <Standpoint attempt={attempt} halt={halt} reload={reload} />
      )}
    </Page>
  );
}

function Actions({ attempt, reload }: { attempt: Attempt; reload: () => void }) {
  const endAll = async () => {
    const text = "Open conversations are graded. What was not practised yet is left out.";
    if (!(await confirm("End this attempt?", text, "End the attempt"))) return;
    await call("attempt_end_all", { attempt_id: attempt.id });
    reload();
  };
  return (
    <>
      <Standing attempt={attempt} />
      {attempt.status === "open" && <Button onClick={endAll}>End the attempt</Button>}
    </>
  );
}

interface Props {
  attempt: Attempt;
  halt: Halt | null;
  reload: () => void;
}

/** Where the attempt stands when no chat is asked for. */
function Standpoint({ attempt, halt, reload }: Props) {
  const entry = current(attempt);
  const open = entry?.state === "open" ? entry.chat_id : null;
  useEffect(() => {
    if (open) go(href("practise", "attempt", attempt.id, "chat", open), { replace: true });
  }, [open, attempt.id]);
  if (!entry) return <Finished attempt={attempt} />;
  if (open) return <Busy label="Opening the conversation" />;
  if (entry.preparing) return <Busy label="The next scenario is being prepared" />;
  if (entry.state === "lobby")
    return <Lobby key={entry.chat_entry_id} attempt={attempt} entry={entry} reload={reload} />;
  return <Halted attempt={attempt} halt={halt} reload={reload} />;
}

/** The next scenario could not begin, or begins just now. */
function Halted({ attempt, halt, reload }: Props) {
  const next = async () => {
    await call("attempt_next", { attempt_id: attempt.id });
    reload();
  };
  return (
    <div class="practise-halt">
      <p role="status">
        {halt ? `The next scenario did not begin: ${halt.message}` : "The next scenario has not begun yet."}
      </p>
      <Button kind="primary" onClick={next}>
        {halt ? "Try again" : "Begin it"}
      </Button>
    </div>
  );
}
