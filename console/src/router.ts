/** Hash routes: "#/practise/a/b?x=1". */

import "./identity"; // takes a token out of the address first
import { type ReadonlySignal, signal } from "@preact/signals";
import { stay } from "./personal";

export interface Route {
  view: string;
  path: string[];
  query: URLSearchParams;
}

const current = signal<Route>(parse(location.hash));
export const route: ReadonlySignal<Route> = current;

export function href(view: string, ...path: string[]): string {
  return `#/${[view, ...path].map(encodeURIComponent).join("/")}`;
}

/** Goes to an address that `href` made; with `replace` the present one leaves the history. */
export function go(to: string, options: { replace?: boolean } = {}): void {
  const hash = to.startsWith("#") ? to : `#${to}`;
  if (options.replace) {
    history.replaceState(null, "", hash);
    current.value = parse(hash);
  } else {
    location.hash = hash;
  }
}

/** Returns what goes on from the present page, once an answer is there; it does nothing when one has left. */
export function goFrom(): (to: string) => void {
  const [from, begun] = [current.peek(), stay()];
  return (to) => {
    if (current.peek() === from && stay() === begun) go(to);
  };
}

function parse(hash: string): Route {
  const [address = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [view = "", ...path] = address.split("/").filter(Boolean).map(decoded);
  return { view, path, query: new URLSearchParams(query) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // typed by hand, with a stray %
  }
}

addEventListener("hashchange", () => {
  current.value = parse(location.hash);
});
