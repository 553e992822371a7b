/** The conversation of a session: what was said, what is being said, and what it rests on. */

import { useEffect, useRef, useState } from "preact/hooks";
import { useStick } from "../../conversation/stick";
import { Badge, Button, Empty, Failure } from "../../parts";
import { ms } from "../../parts/format";
import type { Place } from "../../rooms";
import { Composer } from "./composer";
import { useEarlier } from "./earlier";
import type { Chat, Fault, Message, Running } from "./fold";
import { Cited, type OpenSource, Sources } from "./sources";

interface Props {
  pipelineId: string;
  chat: Chat;
  place: Place;
  open: OpenSource;
}

export function ChatPane({ pipelineId, chat, place, open }: Props) {
  const earlier = useEarlier(pipelineId, chat);
  const [waiting, setWaiting] = useState<string | null>(null);
  const messages = [...earlier.messages, ...chat.messages];
  const box = useRef<HTMLDivElement>(null);
  const { atEnd, onScroll, toEnd } = useStick(box, messages[0]?.id ?? null, [messages, chat, waiting]);
  const nothing = messages.length === 0 && !chat.running && waiting === null;

  return (
    <section class="playground-chat" aria-label="Conversation">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard */}
      <div class="playground-messages" ref={box} onScroll={onScroll} tabIndex={0} role="log" aria-live="off">
        {earlier.error && <Failure error={earlier.error} />}
        {earlier.show && (
          <Button kind="plain" busy={earlier.reading} onClick={earlier.show}>
            Show earlier messages
          </Button>
        )}
        {nothing && (
          <Empty title="Nothing said yet">
            Ask something that the documents answer. The answer names the passages it rests on.
          </Empty>
        )}
        {messages.map((message) => (
          <Said key={message.id} message={message} open={open} />
        ))}
        {waiting !== null && !chat.running && <p class="playground-mine playground-waiting">{waiting}</p>}
        {chat.running && <Answering running={chat.running} open={open} />}
        {chat.failure && <Failed failure={chat.failure} />}
      </div>
      {!atEnd && (
        <div class="playground-newest">
          <Button onClick={toEnd}>{chat.running ? "Follow the answer" : "To the newest"}</Button>
        </div>
      )}
      <Told chat={chat} place={place} />
      <Composer
        pipelineId={pipelineId}
        running={chat.running !== null}
        sent={(text) => {
          setWaiting(text);
          if (text !== null) toEnd();
        }}
      />
    </section>
  );
}

function Said({ message, open }: { message: Message; open: OpenSource }) {
  if (message.role === "user") return <p class="playground-mine">{message.content}</p>;
  const { reasoning, sources, state } = message;
  return (
    <article class="playground-reply">
      <div class="playground-said">
        {reasoning && (
          <details class="playground-reasoning">
            <summary>Reasoning</summary>
            <p class="playground-text">{reasoning}</p>
          </details>
        )}
        <Cited text={message.content} sources={sources ?? []} open={open} />
        {state !== "complete" && <Badge tone={state === "stopped" ? "quiet" : "warn"}>{state}</Badge>}
        <Used usage={message.usage} />
      </div>
      {sources && <Sources sources={sources} open={open} />}
    </article>
  );
}

function Used({ usage }: { usage: Message["usage"] }) {
  if (!usage) return null;
  const parts = [
    usage.completion_tokens ? `${usage.completion_tokens} tokens` : "",
    usage.first_token_ms ? `first after ${ms(usage.first_token_ms)}` : "",
    usage.duration_ms ? ms(usage.duration_ms) : "",
  ].filter(Boolean);
  return parts.length > 0 ? <p class="playground-used">{parts.join(" · ")}</p> : null;
}

function Answering({ running, open }: { running: Running; open: OpenSource }) {
  return (
    <article class="playground-reply" aria-busy="true">
      <div class="playground-said">
        {running.text ? (
          <Cited text={running.text} sources={running.sources ?? []} open={open} />
        ) : (
          <p class="playground-thinking">{running.sources ? "Writing…" : "Searching the documents…"}</p>
        )}
      </div>
      {running.sources && <Sources sources={running.sources} open={open} />}
    </article>
  );
}

function Failed({ failure }: { failure: Fault }) {
  return (
    <p class="playground-failed" role="alert">
      {failure.message} <code>{failure.code}</code>
    </p>
  );
}

/** Say for those who do not see it that an answer begins and ends, and that the line is away. */
function Told({ chat, place }: { chat: Chat; place: Place }) {
  const running = chat.running !== null;
  const [answered, setAnswered] = useState(false);
  useEffect(() => {
    if (running) setAnswered(true);
  }, [running]);
  const said = running ? "Answering" : answered ? "The answer is complete" : "";
  return (
    <p class={place === "away" ? "playground-away" : "playground-hidden"} role="status">
      {place === "away" ? "The line is away. What is said meanwhile is shown when it is back." : said}
    </p>
  );
}
