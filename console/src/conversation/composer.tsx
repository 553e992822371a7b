// Where a message is written. What is not sent yet is kept for as long as the tab lives.

import { useEffect, useRef, useState } from "preact/hooks";
import { Button } from "../parts";
import { recall, remember } from "../personal";

export interface ComposerProps {
  label: string;
  /** Names the draft that is kept; for another one the composer is another, by its key. */
  draft: string;
  running: boolean;
  pasting?: boolean;
  onSend: (text: string) => Promise<void>;
  onStop: () => Promise<void>;
}

const KEY = "draft.";

function keptDraft(name: string): string {
  return recall(KEY + name);
}

export function keepDraft(name: string, text: string): void {
  remember(KEY + name, text);
}

export function Composer({ label, draft, running, pasting, onSend, onStop }: ComposerProps) {
  const [text, setText] = useState(() => keptDraft(draft));
  const [sending, setSending] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  // the field grows with its text
  useEffect(() => grow(field.current), [text]);

  const write = (next: string) => {
    setText(next);
    keepDraft(draft, next);
  };
  const ready = text.trim() !== "" && !sending;
  const send = async () => {
    if (!ready) return;
    setSending(true);
    try {
      await onSend(text);
      setText((now) => (now === text ? "" : now)); // what was typed meanwhile stays
      if (keptDraft(draft) === text) keepDraft(draft, "");
    } finally {
      setSending(false);
      field.current?.focus();
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (running) return; // the button would stop the reply
    button.current?.querySelector("button")?.click(); // so that a failure is shown in one way
  };
  const button = useRef<HTMLSpanElement>(null);

  return (
    <form class="conv-composer" onSubmit={(event) => event.preventDefault()}>
      <textarea
        ref={field}
        class="conv-field"
        aria-label={label}
        placeholder={label}
        value={text}
        rows={1}
        maxLength={32_000}
        enterkeyhint="send"
        readOnly={sending}
        onInput={(event) => write(event.currentTarget.value)}
        onKeyDown={onKeyDown}
        onPaste={pasting === false ? (event) => event.preventDefault() : undefined}
        onDrop={pasting === false ? (event) => event.preventDefault() : undefined}
      />
      <span ref={button} class="conv-send">
        {running ? (
          <Button onClick={onStop} title="Keep the words so far">
            Stop
          </Button>
        ) : (
          <Button kind="primary" onClick={send} disabled={!ready} busy={sending}>
            Send
          </Button>
        )}
      </span>
    </form>
  );
}

function grow(field: HTMLTextAreaElement | null): void {
  if (!field) return;
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight + 2, window.innerHeight * 0.35)}px`;
}
