// One message: who, when, its text, how it ended, its siblings, and editing.

import { useEffect, useRef, useState } from "preact/hooks";
import { Badge, Button, Sound, When } from "../parts";
import type { Shown } from "./branches";
import { SourceList } from "./sources";
import { parts, pieces } from "./spans";

const ENDINGS = {
  stopped: { tone: "info", text: "Stopped" },
  interrupted: { tone: "warn", text: "Interrupted: the server was restarted" },
  failed: { tone: "bad", text: "Failed" },
} as const;

interface Props {
  message: Shown;
  who: string;
  quote: string | null;
  onBack?: (() => void) | undefined;
  onSibling: (id: string) => void;
  onEdit?: ((message: Shown, text: string) => Promise<void>) | undefined;
}

export function MessageItem({ message, who, quote, onBack, onSibling, onEdit }: Props) {
  const [editing, setEditing] = useState(false);
  const running = message.state === "running";
  return (
    <li
      class={`conv-message conv-${message.role}${quote === null ? "" : " conv-marked"}`}
      data-message={message.id}
      data-state={message.state}
      tabIndex={-1}
    >
      <div class="conv-head">
        <span class="conv-who">{who}</span>
        {message.at && (
          <span class="conv-when">
            <When at={message.at} />
          </span>
        )}
        <Siblings message={message} onSibling={onSibling} />
      </div>
      {editing && onEdit ? (
        <Editor message={message} onEdit={onEdit} onClose={() => setEditing(false)} />
      ) : (
        <p class="conv-text">
          {pieces(message.content, quote).map((piece) =>
            piece.marked ? <mark key="mark">{piece.text}</mark> : parts(piece.text),
          )}
          {running && <span class="conv-caret" role="img" aria-label="is being written" />}
        </p>
      )}
      <Ending state={message.state} />
      {message.sources.length > 0 && <SourceList sources={message.sources} />}
      <div class="conv-actions">
        {message.spoken && (
          <Sound path={`/api/v1/messages/${message.id}/audio`} label={`Play what ${who} said`} />
        )}
        {onEdit && !editing && message.parent !== null && (
          <button type="button" class="conv-small" onClick={() => setEditing(true)}>
            Edit and send again
          </button>
        )}
        {onEdit && message.parent === null && (
          <span class="conv-hint">The first message cannot be said again; a new attempt begins anew.</span>
        )}
        {onBack && (
          <button type="button" class="conv-small" onClick={onBack}>
            Back to the feedback
          </button>
        )}
      </div>
    </li>
  );
}

function Ending({ state }: { state: Shown["state"] }) {
  if (state === "complete" || state === "running") return null;
  const { tone, text } = ENDINGS[state];
  return (
    <p class="conv-ending">
      <Badge tone={tone}>{text}</Badge>
    </p>
  );
}

function Siblings({ message, onSibling }: { message: Shown; onSibling: (id: string) => void }) {
  const { index, siblings } = message;
  if (siblings.length < 2) return null;
  const step = (by: number) => {
    const id = siblings[index + by];
    if (id !== undefined) onSibling(id);
  };
  return (
    <span class="conv-siblings" role="group" aria-label="Versions of this message">
      <button type="button" disabled={index === 0} aria-label="Previous version" onClick={() => step(-1)}>
        ‹
      </button>
      <span aria-live="polite">
        {index + 1} of {siblings.length}
      </span>
      <button
        type="button"
        disabled={index === siblings.length - 1}
        aria-label="Next version"
        onClick={() => step(1)}
      >
        ›
      </button>
    </span>
  );
}

interface EditorProps {
  message: Shown;
  onEdit: (message: Shown, text: string) => Promise<void>;
  onClose: () => void;
}

function Editor({ message, onEdit, onClose }: EditorProps) {
  const [text, setText] = useState(message.content);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => field.current?.focus(), []);
  const send = async () => {
    await onEdit(message, text);
    onClose();
  };
  return (
    <form class="conv-editor" onSubmit={(event) => event.preventDefault()}>
      <textarea
        ref={field}
        aria-label="Say instead"
        value={text}
        maxLength={32_000}
        rows={3}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") onClose();
        }}
      />
      <p class="conv-hint">The conversation goes on from here; what was said before is kept.</p>
      <div class="conv-row">
        <Button kind="primary" onClick={send} disabled={text.trim() === ""}>
          Send instead
        </Button>
        <Button onClick={onClose}>Cancel</Button>
      </div>
    </form>
  );
}
