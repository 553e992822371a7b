/** Where one types: Enter sends, Shift+Enter breaks the line. */

import { useEffect, useRef, useState } from "preact/hooks";
import { Button } from "../../parts";
import { recall, remember } from "../../personal";
import { CallError, call } from "../../socket";

const MAX_MESSAGE = 32_000;

interface Props {
  pipelineId: string;
  running: boolean;
  /** Told what is on its way, and null once it is stored or refused. */
  sent(text: string | null): void;
}

export function Composer({ pipelineId, running, sent }: Props) {
  const name = `playground.${pipelineId}`;
  const [text, setText] = useState(() => recall(name));
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const input = useRef<HTMLTextAreaElement>(null);

  const going = useRef(""); // what is on its way is kept until it is stored

  useEffect(() => remember(name, going.current || text), [name, text, busy]); // for who comes back to this view

  async function say(): Promise<void> {
    const message = text.trim();
    if (!message || running || busy) return;
    setBusy(true);
    setError(null);
    setText("");
    going.current = message;
    sent(message);
    try {
      await call("playground_message", { pipeline_id: pipelineId, message });
      going.current = "";
      if (recall(name) === message) remember(name, "");
    } catch (reason) {
      going.current = "";
      setError(reason instanceof Error ? reason.message : String(reason));
      setText((now) => (now ? `${message}\n${now}` : message));
    } finally {
      setBusy(false);
      sent(null);
      input.current?.focus();
    }
  }

  async function stop(): Promise<void> {
    try {
      await call("playground_stop", { pipeline_id: pipelineId });
    } catch (reason) {
      const over = reason instanceof CallError && reason.code === "conflict";
      if (!over) throw reason; // it ended by itself meanwhile
    }
    input.current?.focus();
  }

  return (
    <form
      class="playground-composer"
      onSubmit={(event) => {
        event.preventDefault();
        void say();
      }}
    >
      <label class="playground-hidden" for="playground-message">
        Your message
      </label>
      <textarea
        id="playground-message"
        ref={input}
        rows={2}
        maxLength={MAX_MESSAGE}
        placeholder="Ask the documents"
        value={text}
        aria-describedby={error ? "playground-refused" : undefined}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          void say();
        }}
      />
      {running ? (
        <Button kind="danger" onClick={stop}>
          Stop
        </Button>
      ) : (
        <Button kind="primary" type="submit" busy={busy} disabled={!text.trim()}>
          Send
        </Button>
      )}
      {error && (
        <p id="playground-refused" class="playground-failed" role="alert">
          {error}
        </p>
      )}
    </form>
  );
}
