/** What comes from the ops room: beats each second, and what was told before one looked. */

import { useEffect, useState } from "preact/hooks";
import { whenPersonChanges } from "../../personal";
import { get } from "../../rest";
import { type Entry, useRoom } from "../../rooms";
import { on } from "../../socket";
import { type Beats, keep } from "./beats";
import { OPS, type Told, toldIn } from "./fold";

const TICK_MS = 1_000;
const BEFORE = 100; // entries that are read back

// Kept when the view is left: on coming back the time between is a gap.
const beats: Beats = new Map();
whenPersonChanges(() => beats.clear());

/** Take beats, and look at the clock each second: silence is to be seen too. */
export function useBeats(): { beats: Beats; now: number } {
  const [now, setNow] = useState(Date.now());
  useEffect(() => on("ops_beat", (beat) => keep(beats, beat, Date.now())), []);
  useEffect(() => {
    const look = () => !document.hidden && setNow(Date.now());
    const timer = setInterval(look, TICK_MS);
    document.addEventListener("visibilitychange", look);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, []);
  return { beats, now };
}

/** Follow the room; `told` goes back before the moment at which one came. */
export function useOps() {
  const { state, place, offset, error } = useRoom("ops", OPS);
  const [before, setBefore] = useState<Told[]>([]);
  const anew = place === "live" && state !== null && state.told.length === 0;

  useEffect(() => {
    if (!anew) return;
    const abort = new AbortController();
    readBefore(offset, abort.signal).then(setBefore, () => undefined);
    return () => abort.abort();
  }, [anew]);

  return { ops: state, told: joined(state?.told ?? [], before), place, error };
}

async function readBefore(offset: number, signal: AbortSignal): Promise<Told[]> {
  const query = { after: Math.max(0, offset - BEFORE), limit: BEFORE };
  const { items } = await get<{ items: Entry[] }>("/api/v1/rooms/ops/entries", query, signal);
  return items.flatMap((entry) => toldIn(entry) ?? []).reverse();
}

/** Newest first, each once. */
function joined(now: Told[], before: Told[]): Told[] {
  const known = new Set(now.map(({ offset }) => offset));
  return [...now, ...before.filter(({ offset }) => !known.has(offset))];
}
