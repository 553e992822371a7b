/** What the page keeps of whoever is here: it is gone as soon as somebody else is, or nobody. */

import { session } from "./storage";

const OURS = "greenroom.mine."; // in the tab's storage, over reloads
const OWNER = "greenroom.owner"; // also in storage: a tab that slept while another one signed in learns it late
const forgetting = new Set<() => void>();
let stays = 0;

/** Runs something when another person comes, or the one who was here leaves; until the returned function is called. */
export function whenPersonChanges(forget: () => void): () => void {
  forgetting.add(forget);
  return () => {
    forgetting.delete(forget);
  };
}

/** Returns the number of the present stay: what was begun in another one is not to be gone on with. */
export function stay(): number {
  return stays;
}

/** Returns what rejects once the person who is here now is not: work of several requests asks it before each. */
export function staying(): () => void {
  const begun = stays;
  return () => {
    if (stays !== begun) throw new Error("Somebody else is here now; nothing more was done.");
  };
}

/** Makes a map that is empty again for the next person. */
export function personal<T>(): Map<string, T> {
  const found = new Map<string, T>();
  whenPersonChanges(() => found.clear());
  return found;
}

/** Keeps a text for as long as the tab lives and the person stays; an empty one is not kept. */
export function remember(name: string, text: string): void {
  if (text === "") session.remove(OURS + name);
  else session.set(OURS + name, text);
}

/** Returns the text that was kept, empty when there is none. */
export function recall(name: string): string {
  return session.get(OURS + name) ?? "";
}

/** Hands the page over to a person, by id: what was kept of another one is forgotten. `null` is nobody. */
export function belongTo(person: string | null): void {
  if (person !== null && session.get(OWNER) === person) return;
  stays += 1;
  for (const name of session.names()) {
    if (name.startsWith(OURS)) session.remove(name);
  }
  for (const forget of forgetting) forget();
  if (person === null) session.remove(OWNER);
  else session.set(OWNER, person);
}
