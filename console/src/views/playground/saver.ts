/** Settings as they are typed: saved late, in order, and never back over what is typed meanwhile. */

import { type ReadonlySignal, signal } from "@preact/signals";
import { makeSaving, type Saving } from "../../saving";

/** Settings that change, by their paths, such as `llm_params.temperature`. */
export type Change = Record<string, unknown>;

export interface Saver extends Pick<Saving, "said" | "flush"> {
  /** What is shown instead of what the server has: typed, under way, or answered and not yet told. */
  shown: ReadonlySignal<Change>;
  edit(change: Change): void;
  /** Take what the server has now; what it agrees with is ours no longer. */
  heard(settings: Change): void;
}

const PAUSE_MS = 400;
const TOLD_MS = 5_000; // until the room has told of a change, unless somebody else's came after it

export function makeSaver(save: (change: Change) => Promise<Change>): Saver {
  const shown = signal<Change>({});
  let typed: Change = {};
  let sent: Change = {};
  let told: Change = {};
  let known: Change = {};
  let trust: ReturnType<typeof setTimeout> | undefined;
  const saving = makeSaving({ pause: PAUSE_MS, waits: () => Object.keys(typed).length > 0, store });

  function show(): void {
    shown.value = { ...told, ...sent, ...typed };
  }

  async function store(): Promise<void> {
    sent = typed;
    typed = {};
    try {
      answered(await save(sent));
    } catch (error) {
      typed = { ...sent, ...typed };
      throw error;
    } finally {
      sent = {};
      show();
    }
  }

  function answered(now: Change): void {
    for (const key of Object.keys(sent)) {
      if (!same(known[key], now[key])) told[key] = now[key];
    }
    clearTimeout(trust);
    trust = setTimeout(() => {
      told = {};
      show();
    }, TOLD_MS);
  }

  return {
    said: saving.said,
    flush: saving.flush,
    shown,
    edit(change) {
      typed = { ...typed, ...change };
      show();
      saving.typed();
    },
    heard(settings) {
      known = settings;
      const kept = Object.entries(told).filter(([key, value]) => !same(settings[key], value));
      if (kept.length === Object.keys(told).length) return;
      told = Object.fromEntries(kept);
      show();
    },
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
