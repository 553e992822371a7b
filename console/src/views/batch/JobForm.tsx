import { useState } from "preact/hooks";
import { Button, Check, Choice, TextField } from "../../parts";
import { CaseFields } from "./CaseFields";
import { type Draft, newCase, newGroup, newPermutation } from "./draft";
import { PermutationFields } from "./PermutationFields";
import type { ParameterMatch } from "./types";

const STEP = 20; // items that are shown at once: a form of thousands of fields would freeze

interface Props {
  draft: Draft;
  change(to: Partial<Draft>): void;
}

/** All fields of a job. */
export function JobForm({ draft, change }: Props) {
  return (
    <div class="batch-form">
      <section class="batch-fields" aria-label="Job">
        <TextField label="Name" value={draft.name} onInput={(name) => change({ name })} />
        <TextField label="Version" value={draft.version} onInput={(version) => change({ version })} />
        <TextField
          label="Plugin under test"
          hint="The address of its manifest or OpenAPI document."
          value={draft.plugin}
          onInput={(plugin) => change({ plugin })}
        />
        <TextField
          label="Languages"
          hint="Separated by commas; empty runs the prompts as they are written."
          value={draft.languages}
          onInput={(languages) => change({ languages })}
        />
      </section>
      <Groups draft={draft} change={change} />
      <List
        title="Permutations"
        one="Permutation"
        verb="Add a permutation"
        items={draft.permutations}
        onItems={(permutations) => change({ permutations })}
        make={(n) => newPermutation(n, draft.groups[0]?.name ?? "")}
        render={(one, set) => (
          <PermutationFields one={one} groups={draft.groups.map((group) => group.name)} change={set} />
        )}
      />
      <List
        title="Test cases"
        one="Case"
        verb="Add a test case"
        items={draft.cases}
        onItems={(cases) => change({ cases })}
        make={newCase}
        render={(one, set) => <CaseFields one={one} change={set} />}
      />
      <More draft={draft} change={change} />
    </div>
  );
}

function Groups({ draft, change }: Props) {
  return (
    <List
      title="Plugin groups"
      one="Group"
      verb="Add a group"
      items={draft.groups}
      onItems={(groups) => change({ groups })}
      make={newGroup}
      render={(group, set) => (
        <div class="batch-fields">
          <TextField label="Group" value={group.name} onInput={(name) => set({ ...group, name })} />
          <TextField
            label="Plugins of the group"
            hint="Addresses of manifests, one a line."
            multiline
            value={group.urls}
            onInput={(urls) => set({ ...group, urls })}
          />
        </div>
      )}
    />
  );
}

interface ListProps<T> {
  title: string;
  one: string;
  verb: string;
  items: T[];
  onItems(items: T[]): void;
  make(number: number): T;
  render(item: T, set: (item: T) => void): preact.ComponentChildren;
}

function List<T>({ title, one, verb, items, onItems, make, render }: ListProps<T>) {
  const [shown, setShown] = useState(STEP);
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      {items.slice(0, shown).map((item, n) => (
        <fieldset key={n} class="batch-item">
          <legend>
            {one} {n + 1}
          </legend>
          {render(item, (changed) => onItems(items.map((item, at) => (at === n ? changed : item))))}
          {items.length > 1 && (
            <Button
              kind="plain"
              title={`Remove ${one.toLowerCase()} ${n + 1}`}
              onClick={() => onItems(items.filter((_, at) => at !== n))}
            >
              Remove
            </Button>
          )}
        </fieldset>
      ))}
      {items.length > shown && (
        <Button onClick={() => setShown(shown + STEP)}>
          Show {Math.min(STEP, items.length - shown)} more
        </Button>
      )}
      <Button
        onClick={() => {
          onItems([...items, make(items.length + 1)]);
          setShown(Math.max(shown, items.length + 1));
        }}
      >
        {verb}
      </Button>
    </section>
  );
}

const MATCHES: { value: ParameterMatch; label: string }[] = [
  { value: "exact", label: "exact" },
  { value: "loose", label: "loose: case and a final s do not matter" },
  { value: "bfcl", label: "bfcl: lists of accepted values" },
];

function More({ draft, change }: Props) {
  return (
    <details class="batch-details">
      <summary>How it is run</summary>
      <div class="batch-fields">
        <TextField
          label="Runs at once"
          type="number"
          value={draft.concurrency}
          onInput={(concurrency) => change({ concurrency })}
        />
        <Choice
          label="Parameters are compared"
          value={draft.parameter_match}
          options={MATCHES}
          onChange={(match) => change({ parameter_match: match as ParameterMatch })}
        />
        <TextField
          label="Language of the prompts"
          value={draft.source_language}
          onInput={(source_language) => change({ source_language })}
        />
        <Check
          label="Make equal model calls once"
          checked={draft.cache}
          onChange={(cache) => change({ cache })}
        />
        <Check
          label="Let the ReAct selectors call APIs"
          checked={draft.allow_api_calls}
          onChange={(allow_api_calls) => change({ allow_api_calls })}
        />
      </div>
    </details>
  );
}
