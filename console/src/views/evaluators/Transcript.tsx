import { useRef, useState } from "preact/hooks";
import { Button } from "../../parts";
import { number } from "../../parts/format";
import type { Item } from "./types";

const STEP = 200; // items that are shown at once

const SPEAKERS: Record<Item["role"], string> = {
  "Testing Agent": "Caller",
  "Main Agent": "Agent",
  "Function Call": "Function",
  "Function Call Result": "Result",
};

interface Props {
  items: Item[];
  first: number; // the place of the first item in the whole
  isLive: boolean;
}

/** What was said and called in a run, with its times; a part at a time when it is long. */
export function Transcript({ items, first, isLive }: Props) {
  const [start, setStart] = useState(0);
  const top = useRef<HTMLDivElement>(null);
  const turn = (to: number): void => {
    setStart(to);
    top.current?.scrollIntoView();
  };
  const from = isLive ? Math.max(0, items.length - STEP) : start;
  const isLong = !isLive && items.length > STEP;
  return (
    <div ref={top}>
      {isLong && <Parts start={start} count={items.length} onStart={turn} />}
      <ol class="evaluators-transcript" aria-live={isLive ? "polite" : "off"}>
        {items.slice(from, from + STEP).map((item, n) => (
          <Said key={first + from + n} item={item} />
        ))}
      </ol>
      {isLong && <Parts start={start} count={items.length} onStart={turn} />}
    </div>
  );
}

interface PartsProps {
  start: number;
  count: number;
  onStart(start: number): void;
}

function Parts({ start, count, onStart }: PartsProps) {
  const last = Math.floor((count - 1) / STEP) * STEP;
  const isFirst = start === 0;
  const isLast = start === last;
  return (
    <nav class="evaluators-bar" aria-label="Parts of the transcript">
      <span class="evaluators-quiet">
        {number(start + 1)} to {number(Math.min(start + STEP, count))} of {number(count)}
      </span>
      <Button disabled={isFirst} onClick={() => onStart(0)}>
        Beginning
      </Button>
      <Button disabled={isFirst} onClick={() => onStart(start - STEP)}>
        Earlier
      </Button>
      <Button disabled={isLast} onClick={() => onStart(start + STEP)}>
        Later
      </Button>
      <Button disabled={isLast} onClick={() => onStart(last)}>
        End
      </Button>
    </nav>
  );
}

function Said({ item }: { item: Item }) {
  return (
    <li class={`evaluators-item evaluators-${item.role.toLowerCase().replaceAll(" ", "-")}`}>
      <p class="evaluators-who">
        <b>{SPEAKERS[item.role]}</b> <time>{item.time}</time>
        <span class="evaluators-quiet"> {item.start_time.toFixed(1)} s</span>
      </p>
      {item.content && <p class="evaluators-said">{item.content}</p>}
      {item.data && (
        <details class="evaluators-details">
          <summary>Data</summary>
          <pre class="evaluators-data">{JSON.stringify(item.data, null, 2)}</pre>
        </details>
      )}
    </li>
  );
}
