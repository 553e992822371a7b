/** Where stored content is edited: stored when one says so, and never over what somebody else stored. */

import { type ReadonlySignal, signal } from "@preact/signals";
import { personal } from "../../personal";
import { get, RestError, send } from "../../rest";
import { chosen, type Editing, heard, opened, same, sendable, shownOf, stored, typed } from "./editing";
import type { ContentRow } from "./types";

export interface ContentDesk {
  editing: ReadonlySignal<Editing<unknown>>;
  type(field: string, value: unknown): void;
  choose(field: string, whose: "mine" | "theirs"): void;
  /** Take what is stored now. */
  heard(row: ContentRow): void;
  /** Store; false when somebody else was faster, whose changes are taken in then. */
  store(): Promise<boolean>;
}

const OURS = new Set(["id", "kind", "version", "created_at", "updated_at"]); // told by the server

// Kept when the view is left, so that what is typed is there when one comes back.
const desks = personal<ContentDesk>();

/** The address of content. */
export function contentAt(kind: string, id: string): string {
  return `/api/v1/${kind}s/${encodeURIComponent(id)}`;
}

export function contentDeskOf(row: ContentRow): ContentDesk {
  const desk = desks.get(row.id) ?? makeDesk(row);
  desks.set(row.id, desk);
  return desk;
}

function makeDesk(row: ContentRow): ContentDesk {
  const at = contentAt(row.kind, row.id);
  const editing = signal<Editing<unknown>>(opened(row.version, fieldsOf(row)));
  let storing = false;

  function take(now: ContentRow): void {
    editing.value = heard(editing.value, now.version, fieldsOf(now));
  }

  async function put(): Promise<boolean> {
    const { version } = editing.value;
    const sent = sendable(editing.value);
    try {
      const now = await send<ContentRow>("PUT", at, shownOf(editing.value), { "If-Match": `"${version}"` });
      editing.value = stored(editing.value, sent, now.version, fieldsOf(now));
      return true;
    } catch (reason) {
      if (!(reason instanceof RestError) || reason.status !== 409) throw reason;
      take(await get<ContentRow>(at));
      if (editing.value.version === version) throw reason;
      return false;
    }
  }

  return {
    editing,
    type(field, value) {
      const { base, theirs } = editing.value;
      const next = typed(editing.value, field, value ?? null);
      // what is typed back is not changed, unless the other text is on its way
      if (!storing && !(field in theirs) && same(base[field] ?? null, value ?? null)) delete next.mine[field];
      editing.value = next;
    },
    choose(field, whose) {
      editing.value = chosen(editing.value, field, whose);
    },
    heard: take,
    async store() {
      storing = true;
      return put().finally(() => {
        storing = false;
      });
    },
  };
}

/** What an author writes of content; a field that is null is left out. */
function fieldsOf(row: ContentRow): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).filter(([name, value]) => !OURS.has(name) && value !== null));
}
