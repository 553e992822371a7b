// The messages of a conversation along one path of their tree.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Button } from "../parts";
import { nodes, path, type Shown } from "./branches";
import { MessageItem } from "./message";
import { useStick } from "./stick";
import type { ChatState, Message } from "./types";
import "./conversation.css";

/** Where to lead the reader; `turn` grows so that the same place can be asked for again. */
export interface Jump {
  id: string;
  quote: string | null;
  turn: number;
}

export interface Older {
  items: Message[];
  more: (() => void) | null;
  loading: boolean;
}

export interface MessagesProps {
  label: string;
  names: { user: string; assistant: string };
  state: Pick<ChatState, "messages" | "running" | "typing">;
  older?: Older;
  /** A message that the path leads through; null: the path to the newest one. */
  through: string | null;
  onThrough: (id: string) => void;
  /** Say something else in place of a message of one's own; without it nothing can be edited. */
  onEdit?: (message: Shown, text: string) => Promise<void>;
  jump?: Jump | null;
  /** Lead the reader back to where the jump began. */
  onBack?: () => void;
  copying?: boolean;
}

export function Messages(props: MessagesProps) {
  const { state, older, through } = props;
  const all = useMemo(() => nodes(state, older?.items), [state, older?.items]);
  const shown = useMemo(() => path(all, through), [all, through]);
  const box = useRef<HTMLDivElement>(null);
  const stick = useStick(box, shown[0]?.id ?? null, state);
  const marked = useJump(props, shown, box, stick.letGo);
  const keep = props.copying === false ? (event: Event) => event.preventDefault() : undefined;

  return (
    <div class="conv-messages">
      <div
        class="conv-log"
        ref={box}
        role="log"
        aria-live="off"
        aria-label={props.label}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        onScroll={stick.onScroll}
        onCopy={keep}
        onCut={keep}
      >
        {older?.more && (
          <div class="conv-older">
            <Button onClick={older.more} busy={older.loading}>
              Older messages
            </Button>
          </div>
        )}
        <ol class="conv-list">
          {shown.map((message) => (
            <MessageItem
              key={message.id}
              message={message}
              who={props.names[message.role]}
              quote={marked?.id === message.id ? marked.quote : null}
              onBack={marked?.id === message.id ? props.onBack : undefined}
              onSibling={props.onThrough}
              onEdit={message.role === "user" ? props.onEdit : undefined}
            />
          ))}
          {state.typing?.transcript && (
            <li class="conv-message conv-user conv-heard">
              <p class="conv-text">{state.typing.transcript}</p>
            </li>
          )}
        </ol>
        {shown.length === 0 && <p class="conv-none">Nothing has been said yet.</p>}
      </div>
      {!stick.atEnd && (
        <div class="conv-newest">
          <Button onClick={stick.toEnd}>To the newest</Button>
        </div>
      )}
      <Announcer state={state} name={props.names.assistant} />
    </div>
  );
}

/** Follow a jump: choose the branch of its message, load older ones until it is there, scroll and mark. */
function useJump(
  props: MessagesProps,
  shown: Shown[],
  box: { current: HTMLElement | null },
  letGo: () => void,
): Jump | null {
  const { jump, older, onThrough } = props;
  const done = useRef(0);
  const there = jump ? shown.some((message) => message.id === jump.id) : false;
  const loaded = jump
    ? [...(older?.items ?? []), ...props.state.messages].some((message) => message.id === jump.id)
    : false;
  // a jump is made once, when its message is there
  useLayoutEffect(() => {
    if (!jump || done.current === jump.turn) return;
    if (there) {
      done.current = jump.turn;
      letGo();
      const element = box.current?.querySelector<HTMLElement>(`[data-message="${CSS.escape(jump.id)}"]`);
      const mark = element?.querySelector("mark");
      (mark ?? element)?.scrollIntoView({ block: "center" });
      element?.focus({ preventScroll: true });
    } else if (loaded) {
      onThrough(jump.id);
    } else if (older?.more && !older.loading) {
      older.more();
    }
  }, [jump?.turn, there, loaded, older?.more, older?.loading]);
  return jump && there ? jump : null;
}

/** Tells screen readers whole replies, not each word of them. */
function Announcer({ state, name }: { state: MessagesProps["state"]; name: string }) {
  const newest = state.messages.at(-1);
  const known = useRef(newest?.id);
  const [said, setSaid] = useState("");
  useEffect(() => {
    if (!newest || newest.id === known.current) return;
    known.current = newest.id;
    if (newest.role === "assistant") setSaid(`${name}: ${newest.content}`);
  }, [newest, name]);
  return (
    <p class="visually-hidden" aria-live="polite" aria-atomic="true">
      {said}
    </p>
  );
}
