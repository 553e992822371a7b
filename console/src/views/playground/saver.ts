/** Saves settings as one types: late, in order, and never back over what is typed meanwhile. */

import { type ReadonlySignal, signal } from "@preact/signals";

/** Settings that change, by their paths, such as `llm_params.temperature`. */
export type Change = Record<string, unknown>;
export type Saving = "idle" | "typing" | "saving" | "saved" | "failed";

export interface SaverState {
  phase: Saving;
  error: Error | null;
  /** What is shown instead of what the server has: typed, under way, or answered and not yet told. */
  shown: Change;
}

export interface Saver {
  state: ReadonlySignal<SaverState>;
  edit(change: Change): void;
  /** Take what the server has now; what it agrees with is ours no longer. */
  heard(settings: Change): void;
  /** Send what waits at once. */
  flush(): Promise<void>;
}

const PAUSE_MS = 400;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;
const TOLD_MS = 5_000; // until the room has told of a change, unless somebody else's came after it

interface Options {
  save(change: Change): Promise<Change>;
  /** Whether the same save may succeed later. */
  again(error: unknown): boolean;
  pause?: number;
}

export function makeSaver({ save, again, pause = PAUSE_MS }: Options): Saver {
  const state = signal<SaverState>({ phase: "idle", error: null, shown: {} });
  let typed: Change = {};
  let sent: Change | null = null;
  let told: Change = {};
  let known: Change = {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  let trust: ReturnType<typeof setTimeout> | undefined;
  let wait = FIRST_RETRY_MS;
  let running: Promise<void> = Promise.resolve();

  function show(phase: Saving, error: Error | null = null): void {
    state.value = { phase, error, shown: { ...told, ...sent, ...typed } };
  }

  function later(ms: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => void flush(), ms);
  }

  function flush(): Promise<void> {
    clearTimeout(timer);
    running = running.then(one, one);
    return running;
  }

  async function one(): Promise<void> {
    if (Object.keys(typed).length === 0) return;
    sent = typed;
    typed = {};
    show("saving");
    try {
      succeeded(sent, await save(sent));
    } catch (error) {
      failed(sent, error);
    }
  }

  function succeeded(change: Change, now: Change): void {
    sent = null;
    wait = FIRST_RETRY_MS;
    for (const key of Object.keys(change)) {
      if (!same(known[key], now[key])) told[key] = now[key];
    }
    show(Object.keys(typed).length > 0 ? "typing" : "saved");
    clearTimeout(trust);
    trust = setTimeout(() => {
      told = {};
      show(state.value.phase, state.value.error);
    }, TOLD_MS);
  }

  function failed(change: Change, error: unknown): void {
    sent = null;
    typed = { ...change, ...typed };
    show("failed", error instanceof Error ? error : new Error(String(error)));
    if (!again(error)) return;
    later(wait);
    wait = Math.min(2 * wait, LAST_RETRY_MS);
  }

  return {
    state,
    edit(change) {
      typed = { ...typed, ...change };
      show("typing");
      later(pause);
    },
    heard(settings) {
      known = settings;
      const kept = Object.entries(told).filter(([key, value]) => !same(settings[key], value));
      if (kept.length === Object.keys(told).length) return;
      told = Object.fromEntries(kept);
      show(state.value.phase, state.value.error);
    },
    flush,
  };
}

/** Whether two values of settings are the same; objects are compared by what they hold. */
function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one ?? null) === JSON.stringify(other ?? null);
}

/** Settings in groups as one flat change, and back. */
export function flat(groups: Record<string, object | undefined>): Change {
  const found: Change = {};
  for (const [group, values] of Object.entries(groups)) {
    for (const [key, value] of Object.entries(values ?? {})) found[`${group}.${key}`] = value;
  }
  return found;
}

export function grouped(change: Change): Record<string, Change> {
  const found: Record<string, Change> = {};
  for (const [path, value] of Object.entries(change)) {
    const [group = "", key = ""] = path.split(".", 2);
    found[group] = { ...found[group], [key]: value };
  }
  return found;
}
