import { Choice, TextField } from "../../parts";
import { type PermutationDraft, SELECTORS, SETTINGS } from "./draft";

interface Props {
  one: PermutationDraft;
  groups: string[];
  change(one: PermutationDraft): void;
}

/** One model with one way of asking it. */
export function PermutationFields({ one, groups, change }: Props) {
  const names = groups.includes(one.group) ? groups : [one.group, ...groups];
  const known = SELECTORS.some((selector) => selector.value === one.selector);
  const selectors = known ? SELECTORS : [{ value: one.selector, label: one.selector }, ...SELECTORS];
  return (
    <>
      <div class="batch-fields">
        <TextField label="Permutation" value={one.name} onInput={(name) => change({ ...one, name })} />
        <TextField
          label="Model"
          value={one.model_name}
          onInput={(model_name) => change({ ...one, model_name })}
        />
        <TextField
          label="Provider"
          value={one.provider}
          onInput={(provider) => change({ ...one, provider })}
        />
        <Choice
          label="How it is asked"
          value={one.selector}
          options={selectors}
          onChange={(selector) => change({ ...one, selector })}
        />
        <Choice
          label="Chooses from"
          value={one.group}
          options={names.map((name) => ({ value: name, label: name }))}
          onChange={(group) => change({ ...one, group })}
        />
      </div>
      <details class="batch-details">
        <summary>Sampling</summary>
        <div class="batch-fields">
          {SETTINGS.map((name) => (
            <TextField
              key={name}
              label={name}
              type="number"
              value={one.settings[name]}
              onInput={(value) => change({ ...one, settings: { ...one.settings, [name]: value } })}
            />
          ))}
        </div>
      </details>
    </>
  );
}
