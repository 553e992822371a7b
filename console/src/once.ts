/** Names for what must not be done twice, when an answer was lost. */

import { newId } from "./ids";
import { personal } from "./personal";

const names = personal<string>(); // by what is asked for; in memory only, because it may hold keys

/** Returns the name of a request: the same for the same, until it is done. */
export function nameOnce(said: string): string {
  const name = names.get(said) ?? newId();
  names.set(said, name);
  return name;
}

/** Tells that a request was answered, so that the same is something new from here on. */
export function done(said: string): void {
  names.delete(said);
}
