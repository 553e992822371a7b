/** Where a draft is edited: stored as one types, brought together with what others write into it. */

import { type ReadonlySignal, signal } from "@preact/signals";
import { get, RestError, send } from "../../rest";
import { makeSaving, type Saving } from "../../saving";
import { chosen, type Editing, heard, opened, sendable, stored, typed } from "./editing";
import type { DraftRow, Form, Value } from "./types";

const PAUSE_MS = 700;

export interface Desk extends Pick<Saving, "said" | "flush"> {
  row: DraftRow;
  editing: ReadonlySignal<Editing<Value>>;
  type(resource: string, value: Value | null): void;
  choose(resource: string, whose: "mine" | "theirs"): void;
  /** Have everything stored; rejects when something waits, or is to be chosen first. */
  settled(): Promise<void>;
  /** Read what the draft has become. */
  look(): Promise<void>;
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
  const editing = signal<Editing<Value>>(opened(row.version, row.form_state));
  const saving = makeSaving({
    pause: PAUSE_MS,
    waits: () => Object.keys(sendable(editing.value)).length > 0,
    store,
  });

  async function store(): Promise<void> {
    const changes = sendable(editing.value);
    const asked = { expected_version: editing.value.version, changes };
    try {
      const now = await send<Changed>("PATCH", at, asked);
      editing.value = stored(editing.value, changes, now.new_version, now.form_state);
    } catch (reason) {
      const newer = newerIn(reason);
      if (!newer) throw reason;
      editing.value = heard(editing.value, newer.current_version, newer.form_state);
    }
  }

  return {
    row,
    editing,
    said: saving.said,
    type(resource, value) {
      editing.value = typed(editing.value, resource, value);
      saving.typed();
    },
    choose(resource, whose) {
      editing.value = chosen(editing.value, resource, whose);
      saving.typed();
    },
    async look() {
      try {
        const now = await get<DraftRow>(at);
        editing.value = heard(editing.value, now.version, now.form_state);
      } catch (reason) {
        saving.failed(reason);
      }
    },
    flush: saving.flush,
    async settled() {
      await saving.settled();
      if (Object.keys(editing.value.theirs).length === 0) return;
      throw new Error("Somebody else changed the same: choose first what stays.");
    },
  };
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
