import { useState } from "preact/hooks";
import { type Placed, placed, readSource, Unreadable } from "../../documents/read";
import { Problems, SourceBox } from "../../documents/SourceBox";
import { Button, Choice, TextField } from "../../parts";
import { make, NotMade, readEvaluation } from "./file";
import { nameOf } from "./kinds";
import { useNumbered } from "./numbered";
import { start } from "./start";
import { API, type Kept } from "./types";

/** A run of a file of scenarios: what it describes is stored, and then run. */
export function RunFile() {
  const [text, setText] = useState("");
  const [agent, setAgent] = useState("");
  const [url, setUrl] = useState("");
  const [freq, setFreq] = useState("1");
  const [problems, setProblems] = useState<Placed[]>([]);
  const { items } = useNumbered<Kept>(`${API}/aiagents/`, 200);
  const agents = items.map((one) => ({ value: String(one.id), label: nameOf("aiagents", one) }));

  const run = async (): Promise<void> => {
    try {
      const source = await readSource(text);
      const { evaluation, problems: found } = readEvaluation(source.value);
      if (found.length > 0) throw new NotMade(found);
      const made = await make(evaluation, agent === "" ? { url: url.trim() } : { id: Number(agent) });
      const refused = await start({ scenarios: made.scenarios, freq: Number(freq) || 1 });
      if (refused.length > 0) await made.undo();
      setProblems(refused);
    } catch (error) {
      if (error instanceof Unreadable)
        setProblems([{ where: "the file", line: error.line, msg: error.message }]);
      else if (error instanceof NotMade) setProblems(await placed(error.problems, text));
      else throw error;
    }
  };
  return (
    <>
      <SourceBox
        label="Scenarios as YAML or JSON"
        hint="With agent, personalities, metrics, test_profiles and scenarios. Paste it, drop a file here, or choose one."
        text={text}
        onText={setText}
      />
      <div class="evaluators-fields">
        <Choice
          label="Agent"
          value={agent}
          options={[{ value: "", label: "that of the file" }, ...agents]}
          onChange={setAgent}
        />
        {agent === "" && (
          <TextField
            label="Its WebSocket address"
            hint="Empty where the file has it."
            value={url}
            onInput={setUrl}
          />
        )}
        <TextField label="How often each is run" type="number" value={freq} onInput={setFreq} />
      </div>
      <Problems title="Nothing was started, and nothing stored" problems={problems} />
      <div class="evaluators-bar">
        <Button kind="primary" onClick={run}>
          Store and start
        </Button>
        <p class="evaluators-quiet">What the file describes stays in the lists.</p>
      </div>
    </>
  );
}
