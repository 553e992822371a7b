/** Puts files and texts into a pipeline. */

import { useState } from "preact/hooks";
import { Button, Dialog, TextField, toast } from "../../parts";
import { staying } from "../../personal";
import { send } from "../../rest";
import { pipelineAt } from "./types";

const TYPES = ".md,.markdown,.txt,.text,.html,.htm,.xhtml,.pdf";

interface Props {
  pipelineId: string;
  stored(): void;
}

interface Upload {
  name: string;
  error?: string;
}

export function PutDocuments({ pipelineId, stored }: Props) {
  const [uploads, setUploads] = useState<Upload[]>([]);
  const [over, setOver] = useState(false);
  const [writing, setWriting] = useState(false);

  /** Send one file after the other: one that is refused does not hold up the rest. */
  async function put(files: File[]): Promise<void> {
    setUploads(files.map(({ name }) => ({ name })));
    const failed: Upload[] = [];
    const stay = staying();
    for (const file of files) {
      stay();
      const form = new FormData();
      form.append("id", file.name);
      form.append("file", file);
      try {
        await send("PUT", pipelineAt(pipelineId, "documents"), form);
        stored();
      } catch (reason) {
        failed.push({ name: file.name, error: reason instanceof Error ? reason.message : String(reason) });
      }
      setUploads((now) => now.filter(({ name }) => name !== file.name));
    }
    setUploads(failed);
    if (failed.length < files.length) toast(`${files.length - failed.length} stored`, "good");
  }

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: files may be dropped here, or chosen by the input
    <div
      class={`playground-drop${over ? " playground-drop-over" : ""}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        void put([...(event.dataTransfer?.files ?? [])]);
      }}
    >
      <label class="playground-choose">
        <span>Put files in</span>
        <input
          type="file"
          multiple
          accept={TYPES}
          onChange={(event) => {
            const files = [...(event.currentTarget.files ?? [])];
            event.currentTarget.value = "";
            void put(files);
          }}
        />
      </label>
      <Button kind="plain" onClick={() => setWriting(true)}>
        Write a text
      </Button>
      <p class="playground-hint">
        Markdown, text, HTML, PDF; up to 20 MiB. A file of the same name is replaced.
      </p>
      <ul class="playground-uploads" aria-live="polite">
        {uploads.map(({ name, error }) => (
          <li key={name} class={error ? "playground-failed" : undefined}>
            {error ? `${name}: ${error}` : `Sending ${name}…`}
          </li>
        ))}
      </ul>
      <WriteText pipelineId={pipelineId} open={writing} close={() => setWriting(false)} stored={stored} />
    </div>
  );
}

interface WriteProps extends Props {
  open: boolean;
  close(): void;
}

function WriteText({ pipelineId, open, close, stored }: WriteProps) {
  const [title, setTitle] = useState("");
  const [text, setText] = useState("");

  async function store(): Promise<void> {
    const document = { text, metadata: title.trim() ? { title: title.trim() } : {} };
    await send("PUT", pipelineAt(pipelineId, "documents"), [document]);
    setTitle("");
    setText("");
    close();
    stored();
  }

  return (
    <Dialog title="Write a text" open={open} onClose={close}>
      <TextField label="Title" value={title} onInput={setTitle} />
      <TextField label="Text" multiline value={text} onInput={setText} />
      <Button kind="primary" disabled={!text.trim()} onClick={store}>
        Store
      </Button>
    </Dialog>
  );
}
