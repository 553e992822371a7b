// A conversation: followed live, said into while it is open, and read with its grade afterwards.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { nodes, path, type Shown } from "../../conversation/branches";
import { Composer, keepDraft } from "../../conversation/composer";
import { chatFold } from "../../conversation/fold";
import { type Jump, Messages } from "../../conversation/messages";
import { older } from "../../conversation/older";
import type { ChatState, Message } from "../../conversation/types";
import { Busy, Failure, Tabs, toast } from "../../parts";
import { recall, remember, stay } from "../../personal";
import { useGet, usePages } from "../../rest";
import { useRoom } from "../../rooms";
import { call } from "../../socket";
import { ChatHead } from "./chat_head";
import type { Attempt, ChatRow } from "./content";
import { Hints } from "./hints";
import { useNarrow } from "./narrow";
import { deliver, outgoing, say } from "./sending";
import { SidePanel } from "./side";
import { TalkButton } from "./talking";
import { Trouble } from "./trouble";

interface Props {
  attempt: Attempt;
  chatId: string;
  reload: () => void;
}

export function ChatPage({ attempt, chatId, reload }: Props) {
  const { state, error, place } = useRoom(`attempt_${chatId}`, chatFold);
  if (!state) {
    if (error) return <Failure error={error} />;
    return <Busy label="Opening the conversation" />;
  }
  return <Chat attempt={attempt} chatId={chatId} reload={reload} state={state} away={place === "away"} />;
}

type Panel = "talk" | "about" | "grade";

function Chat({ attempt, chatId, reload, state, away }: Props & { state: ChatState; away: boolean }) {
  const open = useOpen(chatId, state);
  const rest = usePages<Message & { chat_id: string }>(state.more ? "/api/v1/messages" : null, {
    chat_id: chatId,
    limit: 200, // as many as the room gives: the next page is the first one that adds something
  });
  const before = useMemo(() => older(rest.items), [rest.items.length]);
  const [through, setThrough] = useThrough(chatId);
  const shown = useMemo(() => path(nodes(state, before), through), [state, before, through]);
  const [panel, setPanel] = useState<Panel>("talk");
  const [jump, jumpTo, back] = useJumping(
    () => setPanel("talk"),
    () => setPanel("grade"),
  );
  const narrow = useNarrow();
  const graded = state.grades.length > 0;
  useEffect(() => {
    if (graded) setPanel("grade");
  }, [graded]);

  const speak = async (text: string, parent: string | null | undefined) => {
    const at = parent ? { parent_message_id: parent } : {};
    const id = await say({ attempt_id: attempt.id, chat_id: chatId, message: text, ...at });
    if (through !== null || parent !== undefined) setThrough(id);
  };
  const returned = useUnsent(chatId);
  const template = state.chat?.template;
  const persona = state.chat?.persona.name ?? "Persona";

  return (
    <div class="practise-chat" data-narrow={narrow}>
      <ChatHead attempt={attempt} chatId={chatId} state={state} open={open} reload={reload} away={away} />
      {narrow && (
        <Tabs
          label="Parts of the conversation"
          tabs={[
            { id: "talk", label: "Conversation" },
            { id: "about", label: "Scenario" },
            ...(graded ? [{ id: "grade", label: "Feedback" }] : []),
          ]}
          value={panel}
          onChange={(id) => setPanel(id as Panel)}
        />
      )}
      <div class="practise-talk" hidden={narrow && panel !== "talk"}>
        <Messages
          label={`Conversation with ${persona}`}
          names={{ user: "You", assistant: persona }}
          state={state}
          older={{ items: before, more: rest.more, loading: rest.loading }}
          through={through}
          onThrough={setThrough}
          {...(open && !state.running && template?.text_enabled
            ? { onEdit: (message: Shown, text: string) => speak(text, message.parent) }
            : {})}
          jump={jump}
          {...(jump ? { onBack: back } : {})}
          copying={template?.copy_paste_allowed !== false}
        />
        <Trouble state={state} open={open} shown={shown} onAgain={speak} />
        {open && <Hints hints={state.hints} shown={shown} />}
        {open && template?.text_enabled && (
          <Composer
            key={returned}
            label={`Write to ${persona}`}
            draft={chatId}
            running={state.running !== null}
            pasting={template.copy_paste_allowed}
            onSend={(text) => speak(text, through === null ? undefined : (shown.at(-1)?.id ?? null))}
            onStop={async () => {
              await call("attempt_stop", { chat_id: chatId });
            }}
          />
        )}
        {open && template?.audio_enabled && <TalkButton chatId={chatId} />}
        {open && template && !template.text_enabled && (
          <p class="conv-hint">Writing is switched off in this scenario.</p>
        )}
      </div>
      <SidePanel
        attempt={attempt}
        chatId={chatId}
        state={state}
        open={open}
        show={narrow ? panel : "all"}
        onJump={jumpTo}
      />
    </div>
  );
}

/** The message that the path leads through, also after a reload. */
function useThrough(chatId: string) {
  const name = `through.${chatId}`;
  const [through, setThrough] = useState(() => recall(name) || null);
  const choose = (id: string) => {
    setThrough(id);
    remember(name, id);
  };
  return [through, choose] as const;
}

/** Whether something can still be said: closing is told by no entry of its own, so the chat is asked for it. */
function useOpen(chatId: string, state: ChatState): boolean {
  const { data } = useGet<{ items: ChatRow[] }>("/api/v1/chats", { chat_id: chatId });
  const closed = data?.items[0]?.status === "closed";
  return !closed && !state.ended && state.grades.length === 0;
}

/** Leads to a quote and back to where it was chosen. */
function useJumping(onLeave: () => void, onReturn: () => void) {
  const [jump, setJump] = useState<Jump | null>(null);
  const origin = useRef<Element | null>(null);
  const to = (id: string, quote: string) => {
    origin.current = document.activeElement;
    onLeave();
    setJump((last) => ({ id, quote, turn: (last?.turn ?? 0) + 1 }));
  };
  const back = () => {
    onReturn();
    setJump(null);
    requestAnimationFrame(() => {
      if (origin.current instanceof HTMLElement) origin.current.focus();
    });
  };
  return [jump, to, back] as const;
}

/**
 * What was on its way when the page was left is sent again under its id, so that it is said once. Until then it is no
 * draft any more; the number that is returned grows when it became one again.
 */
function useUnsent(chatId: string): number {
  const [unsent] = useState(() => {
    const found = outgoing(chatId);
    if (found) keepDraft(chatId, "");
    return found;
  });
  const [returned, setReturned] = useState(0);
  useEffect(() => {
    if (!unsent) return;
    const begun = stay();
    deliver(unsent).catch((error: Error) => {
      if (stay() !== begun) return; // whose draft it would be is gone
      keepDraft(chatId, unsent.message);
      setReturned((count) => count + 1);
      toast(error.message, "bad");
    });
  }, [unsent, chatId]);
  return returned;
}
