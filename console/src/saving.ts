/** Storing what is typed: after a pause, one request at a time, and again when it failed for now. */

import { type ReadonlySignal, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { me } from "./identity";
import { stay } from "./personal";
import { RestError } from "./rest";

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;
const TURNS = 3; // to have all stored: somebody else may store, too

export interface Said {
  phase: "idle" | "typing" | "saving" | "saved" | "failed";
  error: Error | null;
}

export interface Saving {
  said: ReadonlySignal<Said>;
  /** Tell that something waits, which is stored after a pause. */
  typed(): void;
  /** Tell that something is amiss without anything being stored. */
  failed(error: unknown): void;
  /** Store what waits at once; what fails waits on. */
  flush(): Promise<void>;
  /** Have everything stored, and reject when something still waits: what builds on it must not go on. */
  settled(): Promise<void>;
}

interface Options {
  pause: number;
  waits(): boolean;
  /** Store what waits; what fails waits again. */
  store(): Promise<void>;
}

/** Make what stores for whoever is here now; for whoever signs in later it stores nothing. */
export function makeSaving({ pause, waits, store }: Options): Saving {
  const said = signal<Said>({ phase: "idle", error: null });
  const begun = stay();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wait = FIRST_RETRY_MS;
  let running: Promise<void> = Promise.resolve();

  function later(ms: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => void flush(), ms);
  }

  function flush(): Promise<void> {
    clearTimeout(timer);
    running = running.then(one);
    return running;
  }

  async function one(): Promise<void> {
    if (stay() !== begun) return;
    if (me.peek() === null) return later(wait); // who is here is not known yet, under a newer token
    if (!waits()) {
      if (said.value.phase === "typing") said.value = { phase: "saved", error: null }; // typed, and taken back
      return;
    }
    said.value = { phase: "saving", error: null };
    try {
      await store();
      wait = FIRST_RETRY_MS;
      if (waits()) typed();
      else said.value = { phase: "saved", error: null };
    } catch (error) {
      failed(error);
      if (error instanceof RestError && !error.retryable) return;
      later(wait);
      wait = Math.min(2 * wait, LAST_RETRY_MS);
    }
  }

  async function settled(): Promise<void> {
    for (let turn = 0; turn < TURNS && waits(); turn += 1) await flush();
    if (waits()) throw said.peek().error ?? new Error("Not everything is kept yet; try again in a moment.");
  }

  function typed(): void {
    said.value = { phase: "typing", error: null };
    later(pause);
  }

  function failed(error: unknown): void {
    said.value = { phase: "failed", error: error instanceof Error ? error : new Error(String(error)) };
  }

  return { said, typed, failed, flush, settled };
}

/** Store what is typed when the page is hidden, or the view left. */
export function useFlush(flush: () => Promise<void>): void {
  useEffect(() => {
    const hide = () => document.hidden && void flush();
    document.addEventListener("visibilitychange", hide);
    return () => {
      document.removeEventListener("visibilitychange", hide);
      void flush();
    };
  }, [flush]);
}
