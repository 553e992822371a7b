// How long a chat has gone on, and how long it may.

import { useEffect, useMemo, useState } from "preact/hooks";
import type { Timer } from "./types";

/** Counts from what the server told, so that a wrong clock of this machine does not matter. */
function useElapsed(timer: Timer | null, running: boolean): number {
  const began = useMemo(() => (timer ? performance.now() - timer.elapsed * 1000 : 0), [timer]);
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    setNow(performance.now());
    if (!running) return;
    const beat = setInterval(() => setNow(performance.now()), 1000);
    return () => clearInterval(beat);
  }, [running]);
  return timer ? Math.max(timer.elapsed, (now - began) / 1000) : 0;
}

export function TimerView({ timer, running }: { timer: Timer | null; running: boolean }) {
  const elapsed = useElapsed(timer, running);
  if (!timer) return null;
  const { limit } = timer;
  if (limit === null) return <Clock label="Time so far" seconds={elapsed} tone="quiet" />;
  const left = limit - elapsed;
  if (left < 0) return <Clock label="Over time by" seconds={-left} tone="bad" />;
  return <Clock label="Time left" seconds={left} tone={left < Math.min(60, limit / 5) ? "warn" : "quiet"} />;
}

function Clock({ label, seconds, tone }: { label: string; seconds: number; tone: string }) {
  return (
    <span class={`conv-timer conv-timer-${tone}`}>
      <span class="conv-timer-label">{label}</span>{" "}
      <span class="conv-clock" role="timer">
        {clock(seconds)}
      </span>
    </span>
  );
}

export function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, "0"));
  const hours = Math.floor(whole / 3600);
  return hours > 0 ? `${hours}:${parts.join(":")}` : parts.join(":");
}
