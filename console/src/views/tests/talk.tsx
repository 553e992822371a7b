// A conversation of a replay: turns, and calls of tools as one reads them.

import type { ComponentChildren } from "preact";
import { Badge } from "../../parts";
import type { Talking, Turn } from "./fold";
import "./talk.css";

/** A replay's turns as they come; the one that is being written stands at the end. */
export function Talk({ talk, running, agent }: { talk: Talking; running: boolean; agent: string }) {
  return (
    <ol class="tests-talk">
      {talk.turns.map((turn, at) => (
        <TurnItem key={at} turn={turn} agent={agent} />
      ))}
      {running && talk.text !== "" && (
        <Words who={agent} kind="assistant">
          {talk.text}
        </Words>
      )}
      {running && talk.text === "" && <li class="tests-waiting">{agent} is thinking</li>}
    </ol>
  );
}

function TurnItem({ turn, agent }: { turn: Turn; agent: string }) {
  if (turn.type === "user_turn") {
    return (
      <Words who="User" kind="user">
        {turn.message}
      </Words>
    );
  }
  if (turn.type === "assistant_turn") {
    if (turn.message === "") return null;
    return (
      <Words who={agent} kind="assistant">
        {turn.message}
      </Words>
    );
  }
  const told = parsed(turn.message);
  if (turn.type === "tool_call" && isObject(told)) {
    return (
      <Called
        name={String(told.name)}
        given={told.arguments}
        result={told.result}
        matched={told.matched === true}
      />
    );
  }
  if (turn.type === "sources" && Array.isArray(told)) {
    return <li class="tests-waiting">Rests on {told.length} passages of the documents</li>;
  }
  return null;
}

export function Words({
  who,
  kind,
  id,
  children,
}: {
  who: string;
  kind: string;
  id?: string | undefined;
  children: ComponentChildren;
}) {
  return (
    <li class={`tests-words tests-${kind}`} data-message={id} tabIndex={-1}>
      <span class="tests-who">{who}</span>
      <p>{children}</p>
    </li>
  );
}

/** A call of a tool: with what, what came back, and whether the recording had it. */
export function Called({
  name,
  given,
  result,
  matched,
}: {
  name: string;
  given: unknown;
  result?: unknown;
  matched: boolean | null;
}) {
  return (
    <li class="tests-call">
      <p class="tests-call-head">
        <span class="tests-who">Tool</span> <strong>{name}</strong>{" "}
        {matched !== null && (
          <Badge tone={matched ? "good" : "warn"}>{matched ? "As recorded" : "Not in the recording"}</Badge>
        )}
      </p>
      <Value value={given} />
      {result !== undefined && (
        <>
          <span class="tests-who">Answer</span>
          <Value value={result} />
        </>
      )}
    </li>
  );
}

/** A value as people read it: names with what they hold, never JSON. */
export function Value({ value }: { value: unknown }) {
  const shown = typeof value === "string" ? parsed(value) : value;
  if (Array.isArray(shown)) {
    return shown.length === 0 ? (
      <span>none</span>
    ) : (
      <ul class="tests-value">
        {shown.map((item, at) => (
          <li key={at}>
            <Value value={item} />
          </li>
        ))}
      </ul>
    );
  }
  if (!isObject(shown)) return <span class="tests-plain">{plain(shown)}</span>;
  const pairs = Object.entries(shown);
  if (pairs.length === 0) return <span class="tests-plain">nothing</span>;
  return (
    <dl class="tests-value">
      {pairs.map(([name, held]) => (
        <div key={name}>
          <dt>{name.replaceAll("_", " ")}</dt>
          <dd>
            <Value value={held} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function plain(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return String(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What a text holds when it is an object or a list as JSON, else the text. */
export function parsed(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
