/** Forms that are made from JSON schemas. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Button, Check, Choice, Field, TextField } from "../../parts";
import { useGet } from "../../rest";
import { beginning, namedKind, plain } from "./schemas";
import { type ContentRow, type Schema, type Value, words } from "./types";

const LONG = 200; // characters from which on a text has more than one line
const MANY = 20; // items that are shown at first

interface Props {
  schema: Schema;
  root: Schema;
  name: string;
  label: string;
  value: unknown;
  onChange(value: unknown): void;
  /** Inside another object, whose name does not say what this is. */
  nested?: boolean;
}

/** Show one value of a schema; what a form cannot show is shown as JSON. */
export function SchemaField({ schema, root, ...rest }: Props) {
  const found = plain(schema, root);
  const props = { ...rest, schema: found, root };
  if (found.enum) return <EnumField {...props} />;
  switch (found.type) {
    case "object":
      if (found.properties) return <ObjectField {...props} />;
      return flagsIn(found).length > 0 ? <FlagsField {...props} /> : <JsonField {...props} />;
    case "array":
      return <ArrayField {...props} />;
    case "boolean":
      return <Check label={rest.label} checked={rest.value === true} onChange={rest.onChange} />;
    case "integer":
    case "number":
      return <NumberInput {...props} />;
    case "string":
      return <TextInput {...props} />;
    default:
      return <JsonField {...props} />;
  }
}

function ObjectField({ schema, root, label, value, onChange, nested }: Props) {
  const now = (value ?? {}) as Value;
  return (
    <fieldset class="author-fields">
      <legend class={nested ? "author-legend" : "author-hidden"}>{label}</legend>
      {Object.entries(schema.properties ?? {}).map(([name, one]) => (
        <SchemaField
          key={name}
          schema={one}
          root={root}
          name={name}
          label={words(name)}
          value={now[name]}
          onChange={(changed) => onChange(put(now, name, changed))}
          nested
        />
      ))}
    </fieldset>
  );
}

/** The names of an object that holds switches only, such as the flags of a place. */
function flagsIn({ propertyNames, additionalProperties }: Schema): string[] {
  const switches = typeof additionalProperties === "object" && additionalProperties.type === "boolean";
  return switches ? (propertyNames?.enum ?? []).map(String) : [];
}

const SWITCHES = [
  { value: "", label: "As it is elsewhere" },
  { value: "true", label: "On" },
  { value: "false", label: "Off" },
];

function FlagsField({ schema, label, value, onChange }: Props) {
  const now = (value ?? {}) as Value;
  const names = flagsIn(schema);
  const set = names.filter((name) => name in now).length;
  return (
    <details class="author-group">
      <summary>
        {label}: {set} of {names.length} set
      </summary>
      <div class="author-fields">
        {names.map((name) => (
          <Choice
            key={name}
            label={words(name)}
            value={String(now[name] ?? "")}
            options={SWITCHES}
            onChange={(text) => onChange(put(now, name, text === "" ? undefined : text === "true"))}
          />
        ))}
      </div>
    </details>
  );
}

/** Change one value of an object; undefined takes it away. */
function put(now: Value, name: string, changed: unknown): Value {
  const { [name]: _, ...others } = now;
  return changed === undefined ? others : { ...now, [name]: changed };
}

function ArrayField({ schema, root, name, label, value, onChange }: Props) {
  const items = Array.isArray(value) ? value : [];
  const item = schema.items ?? {};
  const isSimple = plain(item, root).type !== "object";
  const full = schema.maxItems !== undefined && items.length >= schema.maxItems;
  const [shown, setShown] = useState(MANY);
  return (
    <fieldset class="author-list">
      <legend>{label}</legend>
      {items.slice(0, shown).map((one, index) => (
        <Item
          key={index}
          simple={isSimple}
          title={`${label}, ${index + 1}`}
          remove={() => onChange(items.filter((_, n) => n !== index))}
        >
          <SchemaField
            schema={item}
            root={root}
            name={name}
            label={`${label}, ${index + 1}`}
            value={one}
            onChange={(changed) => onChange(items.map((old, n) => (n === index ? changed : old)))}
          />
        </Item>
      ))}
      {items.length > shown ? (
        <Button kind="plain" onClick={() => setShown(shown + MANY)}>
          Show more of {items.length}
        </Button>
      ) : (
        <Button
          kind="plain"
          disabled={full}
          onClick={() => {
            setShown(shown + 1);
            onChange([...items, beginning(item, root)]);
          }}
        >
          Add to {label.toLowerCase()}
        </Button>
      )}
    </fieldset>
  );
}

interface ItemProps {
  simple: boolean;
  title: string;
  remove(): void;
  children: ComponentChildren;
}

function Item({ simple, title, remove, children }: ItemProps) {
  return (
    <div class={simple ? "author-item author-item-simple" : "author-item"}>
      <div class="author-item-body">{children}</div>
      <Button kind="plain" label={`Remove ${title}`} onClick={remove}>
        Remove
      </Button>
    </div>
  );
}

function TextInput({ schema, name, label, value, onChange }: Props) {
  const kind = schema.format === "uuid" ? namedKind(name) : null;
  const type = (text: string) => onChange(text === "" && schema.nullable ? undefined : text);
  if (kind) return <ContentChoice kind={kind} label={label} value={String(value ?? "")} onChange={type} />;
  const said = typeof value === "string" ? value : "";
  if (schema.pattern?.startsWith("^#")) return <ColorField label={label} value={said} onChange={onChange} />;
  const isLong = (schema.maxLength ?? 0) > LONG;
  return <TextField label={label} value={said} multiline={isLong} onInput={type} />;
}

function ColorField({
  label,
  value,
  onChange,
}: {
  label: string;
  value: string;
  onChange(value: string): void;
}) {
  return (
    <Field label={label}>
      {(id) => (
        <input
          id={id}
          type="color"
          class="author-color"
          value={value || "#888888"}
          onInput={(event) => onChange(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

function NumberInput({ schema, label, value, onChange }: Props) {
  return (
    <Field label={label}>
      {(id) => (
        <input
          id={id}
          type="number"
          min={schema.minimum}
          max={schema.maximum}
          step={schema.type === "integer" ? 1 : "any"}
          value={typeof value === "number" ? value : ""}
          onInput={(event) => {
            const now = event.currentTarget.valueAsNumber;
            if (Number.isFinite(now)) onChange(now);
            else if (schema.nullable && event.currentTarget.value === "") onChange(undefined);
          }}
        />
      )}
    </Field>
  );
}

function EnumField({ schema, label, value, onChange }: Props) {
  const options = (schema.enum ?? []).map((one) => ({ value: String(one), label: words(String(one)) }));
  const back = (text: string) => schema.enum?.find((one) => String(one) === text);
  const none = { value: "", label: schema.nullable ? "None" : "Choose" };
  return (
    <Choice
      label={label}
      value={String(value ?? "")}
      options={value === undefined || schema.nullable ? [none, ...options] : options}
      onChange={(text) => onChange(back(text))}
    />
  );
}

interface ContentChoiceProps {
  kind: string;
  label: string;
  value: string;
  onChange(id: string): void;
}

/** Choose what exists by its name. */
function ContentChoice({ kind, label, value, onChange }: ContentChoiceProps) {
  const { data } = useGet<{ items: ContentRow[] }>(`/api/v1/${kind}s`, { limit: 200 });
  const known = (data?.items ?? []).map(({ id, name }) => ({ value: id, label: name }));
  const unknown = value && !known.some((one) => one.value === value) ? [{ value, label: value }] : [];
  const options = [{ value: "", label: "None" }, ...unknown, ...known];
  return <Choice label={label} value={value} options={options} onChange={onChange} />;
}

/** What has no form of its own, such as the parameters of a tool. */
function JsonField({ label, value, onChange }: Props) {
  return (
    <Field label={label} hint="As JSON">
      {(id) => (
        <textarea
          id={id}
          class="author-json"
          rows={6}
          defaultValue={JSON.stringify(value ?? {}, null, 2)}
          onInput={(event) => {
            const box = event.currentTarget;
            try {
              onChange(JSON.parse(box.value));
              box.setCustomValidity("");
            } catch {
              box.setCustomValidity("This is no JSON yet; it is stored once it is.");
            }
            box.reportValidity();
          }}
        />
      )}
    </Field>
  );
}
