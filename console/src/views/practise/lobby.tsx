// Before a conversation begins: what it is about, and whether an earlier one may stand for it.

import { useEffect, useState } from "preact/hooks";
import type { Document, Persona, Scenario } from "../../conversation/types";
import { Busy, Button, Failure } from "../../parts";
import { get, useGet } from "../../rest";
import { call } from "../../socket";
import { Briefing } from "./briefing";
import type { Attempt, Entry } from "./content";
import { Custom } from "./custom";
import { Previous } from "./previous";

interface Props {
  attempt: Attempt;
  entry: Entry;
  reload: () => void;
}

type LobbyScenario = Scenario & { persona_id: string; document_ids: string[] };

export function Lobby({ attempt, entry, reload }: Props) {
  const read = useGet<LobbyScenario>(`/api/v1/scenarios/${encodeURIComponent(entry.scenario_id)}`);
  const scenario = read.data;
  const personaId = entry.persona_id ?? scenario?.persona_id;
  const persona = useGet<Persona>(personaId ? `/api/v1/personas/${encodeURIComponent(personaId)}` : null);
  const documents = useDocuments(scenario?.document_ids ?? []);
  if (!scenario)
    return read.error ? (
      <Failure error={read.error} retry={read.reload} />
    ) : (
      <Busy label="Reading the scenario" />
    );
  const begin = async (draftId?: string) => {
    await call("attempt_next", { attempt_id: attempt.id, ...(draftId ? { draft_id: draftId } : {}) });
    reload();
  };
  return (
    <section class="practise-lobby" aria-labelledby="practise-lobby">
      <h2 id="practise-lobby">{scenario.name}</h2>
      <Briefing
        scenario={scenario}
        persona={persona.data}
        documents={documents}
        limit={entry.time_limit ?? scenario.template.time_limit}
      />
      <div class="practise-row">
        <Button kind="primary" onClick={() => begin()}>
          Begin the conversation
        </Button>
      </div>
      {entry.use_previous && <Previous attempt={attempt} entry={entry} reload={reload} />}
      {entry.use_custom && <Custom entry={entry} onBegin={begin} />}
    </section>
  );
}

/** Those of a scenario's documents that can be read. */
function useDocuments(ids: string[]): Document[] {
  const [found, setFound] = useState<Document[]>([]);
  const key = ids.join();
  useEffect(() => {
    const stop = new AbortController();
    const read = (id: string) =>
      get<Document>(`/api/v1/documents/${encodeURIComponent(id)}`, {}, stop.signal);
    Promise.allSettled(key === "" ? [] : key.split(",").map(read)).then((answers) => {
      if (stop.signal.aborted) return;
      setFound(answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : [])));
    });
    return () => stop.abort();
  }, [key]);
  return found;
}
