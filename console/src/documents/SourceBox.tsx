import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Button, Field, toast } from "../parts";
import type { Placed } from "./read";
import "./style.css";

const MAX_SHOWN = 500_000; // characters; a larger text is held, and not put into the box

interface Props {
  label: string;
  hint: string;
  text: string;
  onText(text: string): void;
}

/** A place for a document: pasted, dropped, or chosen from the disk. */
export function SourceBox({ label, hint, text, onText }: Props) {
  const [over, setOver] = useState(false);
  const take = async (files: FileList | null | undefined): Promise<void> => {
    const file = files?.[0];
    if (!file) return;
    onText(await file.text());
    toast(`${file.name} was read.`);
  };
  const isLarge = text.length > MAX_SHOWN;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping is a third way; the box and the choice work by keyboard
    <div
      class={over ? "documents-box documents-over" : "documents-box"}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        void take(event.dataTransfer?.files);
      }}
    >
      {isLarge ? (
        <p>
          A text of {text.length.toLocaleString()} characters is held; it is too long to be shown.{" "}
          <Button onClick={() => onText("")}>Remove it</Button>
        </p>
      ) : (
        <Field label={label} hint={hint}>
          {(id) => (
            <textarea
              id={id}
              class="documents-text"
              spellcheck={false}
              rows={16}
              value={text}
              onInput={(event) => onText(event.currentTarget.value)}
            />
          )}
        </Field>
      )}
      <label class="documents-file">
        <span>Choose a file</span>
        <input
          type="file"
          accept=".json,.yaml,.yml,application/json"
          onChange={(event) => {
            const chosen = event.currentTarget;
            void take(chosen.files).then(() => {
              chosen.value = "";
            });
          }}
        />
      </label>
    </div>
  );
}

/** What is wrong with a document, each with its place; nothing when nothing is. */
export function Problems({ title, problems }: { title: string; problems: Placed[] }): ComponentChildren {
  if (problems.length === 0) return null;
  return (
    <section class="documents-problems" role="alert">
      <h2>{title}</h2>
      <ul>
        {problems.slice(0, 100).map((one) => (
          <li key={`${one.where} ${one.msg}`}>
            {one.line !== null && <strong>Line {one.line}: </strong>}
            <code>{one.where}</code> {one.msg}
          </li>
        ))}
      </ul>
      {problems.length > 100 && <p>And {problems.length - 100} more.</p>}
    </section>
  );
}
