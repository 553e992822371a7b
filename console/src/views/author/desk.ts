/** Where a draft is edited: stored as one types, brought together with what others write into it. */

import { type ReadonlySignal, signal } from "@preact/signals";
import { me } from "../../identity";
import { get, RestError, send } from "../../rest";
import { chosen, type Editing, heard, opened, sendable, stored, typed } from "./editing";
import type { DraftRow, Form, Value } from "./types";

const PAUSE_MS = 700;
const RETRY_MS = 3_000;

export type Phase = "idle" | "typing" | "saving" | "saved" | "failed";

export interface Desk {
  row: DraftRow;
  editing: ReadonlySignal<Editing>;
  phase: ReadonlySignal<{ name: Phase; error: Error | null }>;
  type(resource: string, value: Value | null): void;
  choose(resource: string, whose: "mine" | "theirs"): void;
  /** Read what the draft has become. */
  look(): Promise<void>;
  flush(): Promise<void>;
}

interface Changed {
  new_version: number;
  form_state: Form;
}

/** The address of a draft. */
export function draftAt(id: string): string {
  return `/api/v1/drafts/${encodeURIComponent(id)}`;
}

export function makeDesk(row: DraftRow): Desk {
  const at = draftAt(row.id);
  const owner = someone();
  const editing = signal(opened(row.version, row.form_state));
  const phase = signal<{ name: Phase; error: Error | null }>({ name: "idle", error: null });
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: Promise<void> = Promise.resolve();

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
    const changes = sendable(editing.value);
    if (Object.keys(changes).length === 0 || someone() !== owner) return; // not for whoever signed in since
    phase.value = { name: "saving", error: null };
    try {
      const asked = { expected_version: editing.value.version, changes };
      const now = await send<Changed>("PATCH", at, asked);
      editing.value = stored(editing.value, changes, now.new_version, now.form_state);
      phase.value = { name: waiting() ? "typing" : "saved", error: null };
    } catch (reason) {
      refused(reason);
    }
  }

  /** A draft that is newer is brought together with what is typed, and what does not clash is sent again. */
  function refused(reason: unknown): void {
    const newer = newerIn(reason);
    if (newer) {
      editing.value = heard(editing.value, newer.current_version, newer.form_state);
      phase.value = { name: "typing", error: null };
      if (waiting()) later(0);
      return;
    }
    failed(reason);
    if (!(reason instanceof RestError) || reason.retryable) later(RETRY_MS);
  }

  function failed(reason: unknown): void {
    phase.value = { name: "failed", error: reason instanceof Error ? reason : new Error(String(reason)) };
  }

  function waiting(): boolean {
    return Object.keys(sendable(editing.value)).length > 0;
  }

  return {
    row,
    editing,
    phase,
    type(resource, value) {
      editing.value = typed(editing.value, resource, value);
      phase.value = { name: "typing", error: null };
      later(PAUSE_MS);
    },
    choose(resource, whose) {
      editing.value = chosen(editing.value, resource, whose);
      later(0);
    },
    async look() {
      try {
        const now = await get<DraftRow>(at);
        editing.value = heard(editing.value, now.version, now.form_state);
      } catch (reason) {
        failed(reason);
      }
    },
    flush,
  };
}

function someone(): string | null {
  return me.peek()?.profile_id ?? null;
}

interface Newer {
  current_version: number;
  form_state: Form;
}

/** What a 409 says of the draft as it is. */
function newerIn(reason: unknown): Newer | null {
  if (!(reason instanceof RestError) || reason.status !== 409) return null;
  const body = reason.body as { error?: { details?: Partial<Newer>[] } } | null;
  const found = body?.error?.details?.[0];
  return found?.form_state && typeof found.current_version === "number" ? (found as Newer) : null;
}
