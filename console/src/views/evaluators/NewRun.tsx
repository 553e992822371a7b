import { useState } from "preact/hooks";
import { Dropping } from "../../documents/Dropping";
import { Page, Tabs } from "../../parts";
import { href } from "../../router";
import { type FileDraft, NEW_FILE, RunFile } from "./RunFile";
import { NEW_RUN, RunForm } from "./RunForm";

/** A new result, from what is kept or from a file; what is typed in one stays while the other is looked at. */
export function NewRun() {
  const [way, setWay] = useState("form");
  const [draft, setDraft] = useState(NEW_RUN);
  const [file, setFile] = useState<FileDraft>(NEW_FILE);
  const take = (text: string): void => {
    setFile({ ...file, text });
    setWay("file");
  };
  return (
    <Page title="New run" crumbs={[{ label: "Evaluators", to: href("evaluators") }]}>
      <Dropping onText={take}>
        <Tabs
          label="How the run is given"
          tabs={[
            { id: "form", label: "Form" },
            { id: "file", label: "File" },
          ]}
          value={way}
          onChange={setWay}
        />
        {way === "form" ? (
          <RunForm draft={draft} onDraft={setDraft} />
        ) : (
          <RunFile draft={file} onDraft={setFile} />
        )}
      </Dropping>
    </Page>
  );
}
