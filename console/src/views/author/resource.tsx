/** One resource of a draft: its form, and what somebody else made of it meanwhile. */

import { useState } from "preact/hooks";
import { Badge, Button, Choice } from "../../parts";
import type { Desk } from "./desk";
import { shownOf } from "./editing";
import { SchemaField } from "./fields";
import { beginning, formOf } from "./schemas";
import { type ResourceDoc, type Schema, type Value, words } from "./types";

interface Props {
  type: string;
  doc: ResourceDoc;
  needed: boolean;
  desk: Desk;
}

export function Resource({ type, doc, needed, desk }: Props) {
  const editing = desk.editing.value;
  const value = shownOf(editing)[type];
  const forms = doc.form.filter((one) => one !== null);
  const [first] = forms;
  if (!first) return null;
  const clashes = type in editing.theirs;
  const { title, description } = { title: words(type), description: (doc.schema ?? first).description };
  return (
    <section class={`author-part${clashes ? " author-part-clash" : ""}`} aria-label={title}>
      <header class="author-part-head">
        <h2>{title}</h2>
        {needed && !value && <Badge tone="quiet">needed</Badge>}
        {clashes && <Badge tone="warn">changed twice</Badge>}
        {!clashes && type in editing.mine && <Badge tone="info">typed</Badge>}
        {value && (
          <Button kind="plain" label={`Take away ${title}`} onClick={() => desk.type(type, null)}>
            Take away
          </Button>
        )}
      </header>
      {description && <p class="author-hint">{description}</p>}
      {clashes && <Clash type={type} desk={desk} />}
      {value ? (
        <Filled type={type} value={value} forms={forms} desk={desk} />
      ) : (
        <Button kind="plain" onClick={() => desk.type(type, beginning(first, first) as Value)}>
          Write it oneself
        </Button>
      )}
    </section>
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

/** Show both versions, and let one choose; until then neither is lost. */
function Clash({ type, desk }: { type: string; desk: Desk }) {
  const { mine, theirs } = desk.editing.value;
  return (
    <div class="author-clash" role="alert">
      <p>This was changed elsewhere while you typed. Nothing is lost; choose which one stays.</p>
      <div class="author-versions">
        <Version title="Yours" value={mine[type] ?? null} keep={() => desk.choose(type, "mine")} />
        <Version title="In the draft" value={theirs[type] ?? null} keep={() => desk.choose(type, "theirs")} />
      </div>
    </div>
  );
}

function Version({ title, value, keep }: { title: string; value: Value | null; keep(): void }) {
  return (
    <figure class="author-version">
      <figcaption>{title}</figcaption>
      {value ? <Shown value={value} /> : <p>Taken away</p>}
      <Button onClick={keep}>Keep {title === "Yours" ? "mine" : "the draft's"}</Button>
    </figure>
  );
}

function Shown({ value }: { value: Value }) {
  const [only, ...more] = Object.values(value);
  const text = more.length === 0 && typeof only === "string" ? only : JSON.stringify(value, null, 2);
  return <pre class="author-value">{text}</pre>;
}
