// An attempt that is read again whenever something happens to it, here or in another window.

import { useEffect, useState } from "preact/hooks";
import { useGet } from "../../rest";
import { line, on } from "../../socket";
import type { Attempt } from "./content";

/** What went wrong when an attempt was to go on, as its owner's room tells. */
export interface Halt {
  message: string;
}

export function useAttempt(id: string) {
  const read = useGet<Attempt>(`/api/v1/attempts/${encodeURIComponent(id)}`);
  const [halt, setHalt] = useState<Halt | null>(null);
  const { reload } = read;
  useEffect(() => {
    const again = (data: { attempt_id?: string | null }) => {
      if (data.attempt_id && data.attempt_id !== id) return;
      setHalt(null);
      reload();
    };
    const offs = [
      on("attempt_started", again),
      on("attempt_chat_started", again),
      on("attempt_ended", again),
      on("attempt_chat_ended", () => reload()),
      on("attempt_error", (data) => {
        if (data.type !== "proceed" || data.chat_id) return;
        setHalt({ message: data.message });
        reload();
      }),
    ];
    return () => {
      for (const off of offs) off();
    };
  }, [id]);
  // what happened while the line was away is not told again in one's own room
  useEffect(() => {
    let away = line.value !== "live";
    return line.subscribe((now) => {
      if (now === "live" && away) reload();
      away = now !== "live";
    });
  }, [id]);
  return { ...read, halt };
}
