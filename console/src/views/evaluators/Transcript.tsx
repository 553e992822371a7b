import { useState } from "preact/hooks";
import { Button } from "../../parts";
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
  isLive: boolean;
}

/** What was said and called in a run, with its times. */
export function Transcript({ items, isLive }: Props) {
  const [shown, setShown] = useState(STEP);
  const visible = isLive ? items.slice(-STEP) : items.slice(0, shown);
  return (
    <>
      <ol class="evaluators-transcript" aria-live={isLive ? "polite" : "off"}>
        {visible.map((item, n) => (
          <li key={n} class={`evaluators-item evaluators-${item.role.toLowerCase().replaceAll(" ", "-")}`}>
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
        ))}
      </ol>
      {!isLive && items.length > shown && <Button onClick={() => setShown(shown + STEP)}>More of it</Button>}
    </>
  );
}
