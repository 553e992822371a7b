/** The playground: a grounded chat, with the settings that make its answers beside it. */

import { useState } from "preact/hooks";
import { me } from "../../identity";
import { Busy, Button, confirm, Failure, Page, Tabs } from "../../parts";
import { send, useGet } from "../../rest";
import { go, href, route } from "../../router";
import { ChatPane } from "./chat";
import { Documents } from "./documents";
import { useStatus } from "./indexing";
import { Passage } from "./passage";
import { Pipelines } from "./pipelines";
import { type Live, useSession } from "./session";
import { SettingsPanel } from "./settings";
import "./style.css";
import { type Pipeline, pipelineAt, type Source } from "./types";

export default function Playground() {
  const [pipelineId, tab] = route.value.path;
  if (!pipelineId) return <Pipelines />;
  return <OnePipeline key={pipelineId} id={pipelineId} tab={tab === "documents" ? "documents" : "chat"} />;
}

function OnePipeline({ id, tab }: { id: string; tab: "chat" | "documents" }) {
  const { data: pipeline, error, reload } = useGet<Pipeline>(pipelineAt(id));
  const live = useSession(id);
  const { status, reload: look } = useStatus(id);
  const crumbs = [{ label: "Playground", to: href("playground") }];
  if (error) {
    return (
      <Page title="Pipeline" crumbs={crumbs}>
        <Failure error={error} retry={reload} />
      </Page>
    );
  }
  if (!pipeline) return <Busy label="Opening the pipeline" />;
  const mayWrite = pipeline.owner_id === me.value?.profile_id;
  const waiting = status?.documents?.queued ?? 0;
  return (
    <Page title={pipeline.name} crumbs={crumbs} actions={<Actions id={id} live={live} />}>
      <Tabs
        label="Parts of the playground"
        tabs={[
          { id: "chat", label: "Chat" },
          { id: "documents", label: waiting ? `Documents (${waiting} waiting)` : "Documents" },
        ]}
        value={tab}
        onChange={(to: string) =>
          go(to === "chat" ? href("playground", id) : href("playground", id, to), { replace: true })
        }
      />
      {tab === "chat" ? (
        <Workbench pipelineId={id} live={live} />
      ) : (
        <Documents pipeline={pipeline} mayWrite={mayWrite} status={status} changed={look} />
      )}
    </Page>
  );
}

function Actions({ id, live }: { id: string; live: Live }) {
  async function forget(): Promise<void> {
    const text = "All that was said in it is deleted, and its settings are the pipeline's again.";
    if (!(await confirm("Forget this session?", text, "Forget"))) return;
    await live.saver.flush();
    await send("DELETE", pipelineAt(id, "playground-session"));
    live.reload();
  }
  return (
    <Button kind="plain" onClick={forget}>
      Forget session
    </Button>
  );
}

function Workbench({ pipelineId, live }: { pipelineId: string; live: Live }) {
  const [source, setSource] = useState<Source | null>(null);
  const [shown, setShown] = useState(false);
  if (live.error) return <Failure error={live.error} retry={live.reload} />;
  if (live.chat?.forgotten || live.place === "gone") {
    return (
      <p class="playground-lead" role="status">
        This session was forgotten. <Button onClick={live.reload}>Begin a new one</Button>
      </p>
    );
  }
  if (!live.chat || !live.settings) return <Busy label="Opening the session" />;
  return (
    <div class="playground-bench">
      <ChatPane
        key={live.session?.id}
        pipelineId={pipelineId}
        chat={live.chat}
        place={live.place}
        open={setSource}
      />
      <div class={`playground-side${shown ? " playground-side-open" : ""}`}>
        <button
          type="button"
          class="playground-toggle"
          aria-expanded={shown}
          onClick={() => setShown(!shown)}
        >
          {shown ? "Hide settings" : "Settings"}
        </button>
        <SettingsPanel settings={live.settings} saver={live.saver} />
      </div>
      <Passage pipelineId={pipelineId} source={source} close={() => setSource(null)} />
    </div>
  );
}
