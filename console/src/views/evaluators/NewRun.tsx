import { useState } from "preact/hooks";
import { Page, Tabs } from "../../parts";
import { href } from "../../router";
import { RunFile } from "./RunFile";
import { RunForm } from "./RunForm";

/** A new result, from what is kept or from a file. */
export function NewRun() {
  const [way, setWay] = useState("form");
  return (
    <Page title="New run" crumbs={[{ label: "Evaluators", to: href("evaluators") }]}>
      <Tabs
        label="How the run is given"
        tabs={[
          { id: "form", label: "Form" },
          { id: "file", label: "File" },
        ]}
        value={way}
        onChange={setWay}
      />
      {way === "form" ? <RunForm /> : <RunFile />}
    </Page>
  );
}
