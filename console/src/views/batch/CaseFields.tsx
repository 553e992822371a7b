import { Choice, TextField } from "../../parts";
import type { CaseDraft } from "./draft";
import type { CaseType } from "./types";

const TYPES = [
  { value: "plugin_selector", label: "Plugin and operation" },
  { value: "api_signature_selector", label: "Parameters too" },
];
const METHODS = ["", "get", "post", "put", "patch", "delete"];

interface Props {
  one: CaseDraft;
  change(one: CaseDraft): void;
}

/** A prompt, and what a model should choose for it. */
export function CaseFields({ one, change }: Props) {
  return (
    <div class="batch-fields">
      <TextField label="Test case" value={one.name} onInput={(name) => change({ ...one, name })} />
      <Choice
        label="What is tested"
        value={one.type}
        options={TYPES}
        onChange={(type) => change({ ...one, type: type as CaseType })}
      />
      <TextField
        label="Prompt"
        multiline
        value={one.prompt}
        onInput={(prompt) => change({ ...one, prompt })}
      />
      <TextField
        label="Expected plugin"
        hint="The address of its manifest or its name; empty expects that nothing is called."
        value={one.plugin}
        onInput={(plugin) => change({ ...one, plugin })}
      />
      <TextField
        label="Expected operation"
        hint="Its address or path."
        value={one.api}
        onInput={(api) => change({ ...one, api })}
      />
      <Choice
        label="Expected method"
        value={one.method}
        options={METHODS.map((method) => ({
          value: method,
          label: method === "" ? "any" : method.toUpperCase(),
        }))}
        onChange={(method) => change({ ...one, method })}
      />
      {one.type === "api_signature_selector" && (
        <TextField
          label="Expected parameters"
          hint='An object in JSON, such as {"q": "T shirt"}.'
          multiline
          value={one.parameters}
          onInput={(parameters) => change({ ...one, parameters })}
        />
      )}
    </div>
  );
}
