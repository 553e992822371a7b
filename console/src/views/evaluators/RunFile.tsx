import { useState } from "preact/hooks";
import { NOT_REFUSED, type Refusal, Refused, refusalOf } from "../../documents/Refused";
import { type Problem, readObject } from "../../documents/read";
import { SourceBox } from "../../documents/SourceBox";
import { Button, Choice, TextField } from "../../parts";
import { personal } from "../../personal";
import { RestError } from "../../rest";
import { type Made, make, NotMade, readEvaluation } from "./file";
import { nameOf } from "./kinds";
import { useNumbered } from "./numbered";
import { problemsOf } from "./problems";
import { start } from "./start";
import { API, type Kept } from "./types";

/** What a file, and the fields beside it, say. */
export interface FileDraft {
  text: string;
  agent: string;
  url: string;
  freq: string;
}

export const NEW_FILE: FileDraft = { text: "", agent: "", url: "", freq: "1" };

const A_FILE = "A file of scenarios is one object, with agent, scenarios and so on.";

const LAST = "last";
const stored = personal<{ of: string; made: Made }>(); // and not started yet, also when one comes back

interface Props {
  draft: FileDraft;
  onDraft(draft: FileDraft): void;
}

/** A run of a file of scenarios: what it describes is stored, and then run. */
export function RunFile({ draft, onDraft }: Props) {
  const { text, agent, url, freq } = draft;
  const [refusal, setRefusal] = useState<Refusal>(NOT_REFUSED);
  const { items } = useNumbered<Kept>(`${API}/aiagents/`, 200);
  const agents = items.map((one) => ({ value: String(one.id), label: nameOf("aiagents", one) }));
  const set = (change: Partial<FileDraft>): void => onDraft({ ...draft, ...change });

  /** Returns what the file describes, stored; that of before when only its start had failed. */
  const made = async (): Promise<Made> => {
    const of = JSON.stringify([text, agent, url]);
    const before = stored.get(LAST);
    if (before?.of === of) return before.made;
    await undo();
    const { evaluation, problems } = readEvaluation(await readObject(text, A_FILE));
    if (problems.length > 0) throw new NotMade(problems);
    const found = await make(evaluation, agent === "" ? { url: url.trim() } : { id: Number(agent) });
    stored.set(LAST, { of, made: found });
    return found;
  };
  const undo = async (): Promise<void> => {
    await stored.get(LAST)?.made.undo();
    stored.delete(LAST);
  };
  const run = async (): Promise<void> => {
    try {
      const { scenarios } = await made();
      await start({ scenarios, ...(freq.trim() && { freq: Number(freq) }) });
      stored.delete(LAST);
    } catch (error) {
      if (error instanceof RestError && !error.retryable) await undo(); // else it may have begun
      setRefusal(await refusalOf(error, { problemsOf: problemsIn, text }));
    }
  };
  return (
    <>
      <SourceBox
        label="Scenarios as YAML or JSON"
        hint="With agent, personalities, metrics, test_profiles and scenarios. Paste it, drop a file here, or choose one."
        text={text}
        onText={(text) => set({ text })}
      />
      <div class="evaluators-fields">
        <Choice
          label="Agent"
          value={agent}
          options={[{ value: "", label: "that of the file" }, ...agents]}
          onChange={(agent) => set({ agent })}
        />
        {agent === "" && (
          <TextField
            label="Its WebSocket address"
            hint="Empty where the file has it."
            value={url}
            onInput={(url) => set({ url })}
          />
        )}
        <TextField
          label="How often each is run"
          type="number"
          value={freq}
          onInput={(freq) => set({ freq })}
        />
      </div>
      <Refused title="Nothing was started, and nothing stored" refusal={refusal} />
      <div class="evaluators-bar">
        <Button kind="primary" onClick={run}>
          Store and start
        </Button>
        <p class="evaluators-quiet">What the file describes stays in the lists.</p>
      </div>
    </>
  );
}

function problemsIn(error: Error): Problem[] {
  return error instanceof NotMade ? error.problems : problemsOf(error);
}
