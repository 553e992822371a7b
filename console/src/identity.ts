/** Who is here: the token, and what the server says about its owner. */

import { effect, type ReadonlySignal, signal } from "@preact/signals";
import { belongTo } from "./personal";
import { local } from "./storage";

export type Role = "learner" | "author" | "ops" | "admin" | "guest";
export interface Me {
  role: Role;
  profile_id: string | null;
  guest_id: string | null;
}

const TOKEN = "greenroom.token";
const GUEST = "greenroom.guest";
const INVITATION = /^#token=([^&]+)/;

const kept = signal<string | null>(local.get(TOKEN));
const known = signal<Me | null>(null);
const offered = signal<string | null>(null);

export const token: ReadonlySignal<string | null> = kept;
export const me: ReadonlySignal<Me | null> = known;
/** The token of a link that was opened while somebody is signed in: they are asked first. */
export const invitation: ReadonlySignal<string | null> = offered;

effect(() => keep(TOKEN, kept.value));

/** Becomes the owner of a token; `null` makes a guest. */
export function signIn(next: string | null): void {
  const trimmed = next?.trim() || null;
  offered.value = null;
  if (trimmed === kept.peek()) return;
  if (trimmed === null) belongTo(null); // a new token may be the same person's: that is known when the server says so
  known.value = null;
  kept.value = trimmed;
}

/** Forgets the token, and what the page keeps of its owner. */
export function signOut(): void {
  signIn(null);
}

/** Stays who one is: the token of the link is forgotten. */
export function decline(): void {
  offered.value = null;
}

/** Returns the id of who is here. */
export function myId(): string | null {
  return known.value?.profile_id ?? known.value?.guest_id ?? null;
}

export function may(...roles: Role[]): boolean {
  const role = known.value?.role;
  return role !== undefined && (role === "admin" || roles.includes(role));
}

/** Takes in what the server says about who is here. */
export function recognise(next: {
  role: string;
  profile_id?: string | null;
  guest_id?: string | null;
}): void {
  const guest = next.guest_id ?? null;
  if (guest !== null) keep(GUEST, guest); // without it each visit would be another guest's
  const role = guest === null ? (next.role as Role) : "guest";
  const before = known.value;
  const profile = next.profile_id ?? null;
  if (before?.role === role && before.profile_id === profile && before.guest_id === guest) return;
  belongTo(profile ?? guest);
  known.value = { role, profile_id: profile, guest_id: guest };
}

/** Returns the id of the guest who was here before, for whoever has no token. */
export function guestId(): string | null {
  return local.get(GUEST);
}

/** Forgets the guest who was here before: the server does not know that id. */
export function forgetGuest(): void {
  keep(GUEST, null);
}

function keep(name: string, value: string | null): void {
  if (value === null) local.remove(name);
  else local.set(name, value);
}

function invited(): string | null {
  const found = INVITATION.exec(location.hash)?.[1];
  if (found === undefined) return null;
  history.replaceState(null, "", `${location.pathname}${location.search}#/`); // it must not stay in the history
  return decoded(found);
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null; // a link that was cut
  }
}

function look(): void {
  const next = invited();
  if (next === null || next === kept.peek()) return;
  if (kept.peek() === null) signIn(next);
  else offered.value = next;
}

look();
addEventListener("hashchange", look);

addEventListener("storage", (event) => {
  if (event.key === TOKEN) signIn(event.newValue); // signed in or out in another tab
});
