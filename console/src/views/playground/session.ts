/** One's session of a pipeline: its room, and its settings as they are typed. */

import { useEffect, useMemo } from "preact/hooks";
import { personal } from "../../personal";
import { send, useGet } from "../../rest";
import { type Place, useRoom } from "../../rooms";
import { useFlush } from "../../saving";
import { CHAT, type Chat } from "./fold";
import { type Change, flat, grouped, makeSaver, type Saver } from "./saver";
import { pipelineAt, type Session, type Settings } from "./types";

// Kept when the view is left, so that what could not be saved yet is tried again all the same.
const savers = personal<Saver>();

export interface Live {
  session: Session | null;
  chat: Chat | null;
  settings: Settings | null;
  saver: Saver;
  place: Place;
  error: Error | null;
  reload(): void;
}

/** Follow the session of a pipeline, which is made if there is none. */
export function useSession(pipelineId: string): Live {
  const { data, error, reload } = useGet<Session>(pipelineAt(pipelineId, "playground-session"));
  const session = data?.pipeline_id === pipelineId ? data : null;
  const room = useRoom(session ? `playground_${session.id}` : null, CHAT);
  const saver = useSaver(session);
  const base = useMemo(
    () => session && flat({ ...settingsOf(session), ...room.state?.settings }),
    [session, room.state?.settings],
  );
  useEffect(() => {
    if (base) saver.heard(base);
  }, [base, saver]);
  const shown = saver.shown.value;
  const settings = base ? (grouped({ ...base, ...shown }) as unknown as Settings) : null;
  return {
    session,
    chat: room.state,
    settings,
    saver,
    place: room.place,
    error: error ?? room.error,
    reload,
  };
}

/** Give the saver of a session; leaving the page has it send what waits. */
function useSaver(session: Session | null): Saver {
  const saver = saverOf(session?.pipeline_id ?? "", session?.id ?? "");
  useFlush(saver.flush);
  return saver;
}

function saverOf(pipelineId: string, sessionId: string): Saver {
  const saver = savers.get(sessionId) ?? makeSaver((change) => save(pipelineId, change));
  savers.set(sessionId, saver);
  return saver;
}

async function save(pipelineId: string, change: Change): Promise<Change> {
  const saved = await send<Session>("PATCH", pipelineAt(pipelineId, "playground-session"), grouped(change));
  return flat(settingsOf(saved));
}

function settingsOf(session: Session): Record<keyof Settings, object> {
  return { llm_params: session.llm_params, retrieval_params: session.retrieval_params };
}
