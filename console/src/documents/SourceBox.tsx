import { Button, Field } from "../parts";
import { number } from "../parts/format";
import { textOf } from "./Dropping";
import "./style.css";

const MAX_SHOWN = 500_000; // characters; a larger text is held, and not put into the box

interface Props {
  label: string;
  hint: string;
  text: string;
  onText(text: string): void;
}

/** A place for a document: pasted, or chosen from the disk. */
export function SourceBox({ label, hint, text, onText }: Props) {
  const choose = async (input: HTMLInputElement): Promise<void> => {
    const file = input.files?.[0];
    const found = file ? await textOf(file) : null;
    input.value = ""; // the same file can be chosen again, when it was changed
    if (found !== null) onText(found);
  };
  return (
    <div class="documents-box">
      {text.length > MAX_SHOWN ? (
        <p>
          A text of {number(text.length)} characters is held; it is too long to be shown.{" "}
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
              aria-describedby={`${id}-note`}
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
          onChange={(event) => void choose(event.currentTarget)}
        />
      </label>
    </div>
  );
}
