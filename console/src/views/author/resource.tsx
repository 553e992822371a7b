/** One resource of a draft: its form, and what somebody else made of it meanwhile. */

import { useState } from "preact/hooks";
import { Badge, Button, Choice } from "../../parts";
import { Clash, Shown } from "./clash";
import type { Desk } from "./desk";
import { same, shownOf } from "./editing";
import { SchemaField } from "./fields";
import { begun, heldOf } from "./held";
import { beginning, formOf } from "./schemas";
import { type ArtifactDoc, type ContentRow, formsOf, type Schema, type Value, words } from "./types";

interface Props {
  type: string;
  docs: ArtifactDoc;
  desk: Desk;
  /** The content that the draft is of, if it exists. */
  content: ContentRow | null;
}

export function Resource({ type, docs, desk, content }: Props) {
  const editing = desk.editing.value;
  const value = shownOf(editing)[type];
  const forms = formsOf(docs, type);
  const [first] = forms;
  if (!first) return null;
  const needed = docs.needed_to_save.includes(type);
  const held = content && heldOf(forms, content);
  const clashes = type in editing.theirs;
  const { title, description } = {
    title: words(type),
    description: (docs.resource_types[type]?.schema ?? first).description,
  };

  function begin(): void {
    for (const [one, value] of Object.entries(begun(type, docs, content))) {
      if (!(one in shownOf(editing))) desk.type(one, value);
    }
  }

  return (
    <section class={`author-part${clashes ? " author-part-clash" : ""}`} aria-label={title}>
      <header class="author-part-head">
        <h2>{title}</h2>
        {needed && !value && !content && <Badge tone="quiet">needed</Badge>}
        {clashes && <Badge tone="warn">changed twice</Badge>}
        {!clashes && type in editing.mine && <Badge tone="info">typed</Badge>}
        {value ? (
          <Button kind="plain" label={`Take away ${title}`} onClick={() => desk.type(type, null)}>
            Take away
          </Button>
        ) : (
          <Button kind="plain" onClick={begin}>
            {held ? "Change it" : "Write it oneself"}
          </Button>
        )}
      </header>
      {description && <p class="author-hint">{description}</p>}
      {clashes && (
        <Clash
          mine={editing.mine[type]}
          theirs={editing.theirs[type]}
          place="draft"
          choose={(whose) => desk.choose(type, whose)}
        />
      )}
      {held && !same(held, value) && <Held value={held} replaced={value !== undefined} />}
      {value && <Filled type={type} value={value} forms={forms} desk={desk} />}
    </section>
  );
}

/** What is stored, where the draft says something else or nothing. */
function Held({ value, replaced }: { value: Value; replaced: boolean }) {
  return (
    <details class="author-group" open={!replaced}>
      <summary>{replaced ? "Stored now, which this takes the place of" : "Stored now"}</summary>
      <Shown value={value} />
    </details>
  );
}

interface FilledProps {
  type: string;
  value: Value;
  forms: Schema[];
  desk: Desk;
}

function Filled({ type, value, forms, desk }: FilledProps) {
  const [wanted, setWanted] = useState<number | null>(null);
  const at = wanted ?? formOf(value, forms);
  const form = forms[at] ?? {};
  return (
    <>
      {forms.length > 1 && (
        <Choice
          label="What it holds"
          value={String(at)}
          options={forms.map((one, n) => ({ value: String(n), label: one.description ?? `Form ${n + 1}` }))}
          onChange={(to) => {
            const next = forms[Number(to)] ?? {};
            setWanted(Number(to));
            desk.type(type, beginning(next, next) as Value);
          }}
        />
      )}
      <SchemaField
        schema={form}
        root={form}
        name={type}
        label={words(type)}
        value={value}
        onChange={(changed) => desk.type(type, changed as Value)}
      />
    </>
  );
}
