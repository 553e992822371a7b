// In a lobby: wishes for the scenario, which a model works in before the conversation begins.

import { useEffect, useRef, useState } from "preact/hooks";
import { newId } from "../../ids";
import { Busy, Button, TextField } from "../../parts";
import { get, send } from "../../rest";
import { call, line, on } from "../../socket";
import type { Entry } from "./content";

interface Draft {
  draft_id?: string;
  id?: string;
  form_state: Record<string, unknown>;
}

type Stage =
  | { step: "idle" }
  | { step: "making"; draft: string; run: string }
  | { step: "failed"; why: string }
  | { step: "made" };

export function Custom({ entry, onBegin }: { entry: Entry; onBegin: (draftId: string) => Promise<void> }) {
  const [wish, setWish] = useState("");
  const [draftId, setDraftId] = useState<string | null>(null);
  const [stage, setStage] = useState<Stage>({ step: "idle" });
  const [form, setForm] = useState<Record<string, unknown>>({});
  useGeneration(stage, setStage, async () => {
    if (draftId) setForm((await get<Draft>(`/api/v1/drafts/${draftId}`)).form_state);
  });

  const make = async () => {
    const id = draftId ?? (await newDraft(entry));
    setDraftId(id);
    const runId = newId();
    setStage({ step: "making", draft: id, run: runId });
    try {
      await call("generate", {
        artifact_types: [{ name: "chat", operation: "draft" }],
        draft_id: id,
        run_id: runId,
        resource_types: ["scenarios"],
        user_instructions: [wish],
      });
    } catch (error) {
      setStage({ step: "idle" });
      throw error;
    }
  };

  return (
    <section class="practise-custom" aria-labelledby="practise-custom">
      <h3 id="practise-custom">Make it yours</h3>
      <TextField
        label="What should be different?"
        hint="A situation of your own, for example. A model prepares it; read it before you begin."
        value={wish}
        onInput={setWish}
        multiline
      />
      <Button onClick={make} disabled={wish.trim() === "" || stage.step === "making"}>
        Prepare it
      </Button>
      {stage.step === "making" && <Busy label="Being prepared" />}
      {stage.step === "failed" && <p role="alert">That did not work: {stage.why}</p>}
      {stage.step === "made" && draftId && (
        <>
          <Prepared form={form} />
          <Button kind="primary" onClick={() => onBegin(draftId)}>
            Begin with this
          </Button>
        </>
      )}
    </section>
  );
}

async function newDraft(entry: Entry): Promise<string> {
  const made = await send<Draft>("POST", "/api/v1/drafts", {
    artifact_type: "chat",
    artifact_id: entry.chat_entry_id,
  });
  return made.draft_id ?? made.id ?? "";
}

interface Run {
  run_id: string;
  state: "running" | "done" | "failed";
}

/** Hears how a generation ends; its id is known before it is asked for. What was told while the line was away is asked
 * for when it is back. */
function useGeneration(stage: Stage, setStage: (stage: Stage) => void, onMade: () => Promise<void>): void {
  const run = stage.step === "making" ? stage.run : null;
  const draft = stage.step === "making" ? stage.draft : null;
  const read = useRef(onMade);
  read.current = onMade;
  useEffect(() => {
    if (!run) return;
    const failed = (why: string) => setStage({ step: "failed", why });
    const made = () =>
      read.current().then(
        () => setStage({ step: "made" }),
        (error: Error) => failed(error.message),
      );
    const ask = async () => {
      const { items } = await get<{ items: Run[] }>(`/api/v1/drafts/${draft}/runs`);
      const state = items.find((one) => one.run_id === run)?.state;
      if (state === "done") await made();
      if (state === "failed") failed("The model gave nothing that can be used.");
    };
    let away = false;
    const offs = [
      on("generation_complete", (data) => data.run_id === run && void made()),
      on("generation_error", (data) => data.run_id === run && failed(data.message)),
      line.subscribe((now) => {
        if (now === "live" && away) ask().catch((error: Error) => failed(error.message));
        away = now !== "live";
      }),
    ];
    return () => {
      for (const off of offs) off();
    };
  }, [run]);
}

function Prepared({ form }: { form: Record<string, unknown> }) {
  const scenario = (form.scenarios ?? {}) as {
    name?: string;
    problem_statement?: string;
    objectives?: string[];
  };
  return (
    <div class="practise-prepared">
      {scenario.name && <h4>{scenario.name}</h4>}
      {scenario.problem_statement && <p class="practise-prose">{scenario.problem_statement}</p>}
      {scenario.objectives && (
        <ul>
          {scenario.objectives.map((objective) => (
            <li key={objective}>{objective}</li>
          ))}
        </ul>
      )}
    </div>
  );
}
