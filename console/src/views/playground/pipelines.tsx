/** The pipelines that one may search, and making one. */

import { useState } from "preact/hooks";
import { may, me } from "../../identity";
import { Badge, Busy, Button, Check, Dialog, Empty, Failure, Page, TextField, When } from "../../parts";
import { send, useGet } from "../../rest";
import { goFrom, href } from "../../router";
import type { Pipeline } from "./types";

const FEW = 8; // can be looked through without searching

export function Pipelines() {
  const { data, error, loading, reload } = useGet<Pipeline[]>("/api/v1/pipelines");
  const [making, setMaking] = useState(false);
  const [wanted, setWanted] = useState("");
  const writes = may("author");
  const shown = (data ?? []).filter(({ name }) => name.toLowerCase().includes(wanted.trim().toLowerCase()));
  const make = writes ? (
    <Button kind="primary" onClick={() => setMaking(true)}>
      New pipeline
    </Button>
  ) : null;

  return (
    <Page title="Playground" actions={make}>
      <p class="playground-lead">
        A pipeline holds documents and finds passages in them. Choose one to chat with it.
      </p>
      {error && <Failure error={error} retry={reload} />}
      {!data && loading && <Busy label="Reading the pipelines" />}
      {data && data.length > FEW && <TextField label="Find a pipeline" value={wanted} onInput={setWanted} />}
      {data?.length === 0 && (
        <Empty title="No pipelines">
          {writes ? "Make one and put documents in." : "Once an author shares one, it is here."}
        </Empty>
      )}
      <ul class="playground-pipelines">
        {shown.map((pipeline) => (
          <li key={pipeline.id}>
            <a class="playground-pipeline" href={href("playground", pipeline.id)}>
              <strong>{pipeline.name}</strong>
              <span class="playground-about">
                {pipeline.owner_id === me.value?.profile_id && <Badge tone="quiet">yours</Badge>}
                {pipeline.shared && <Badge tone="info">shared</Badge>}
                <When at={pipeline.created_at} />
              </span>
            </a>
          </li>
        ))}
      </ul>
      <MakePipeline open={making} close={() => setMaking(false)} />
    </Page>
  );
}

function MakePipeline({ open, close }: { open: boolean; close(): void }) {
  const [name, setName] = useState("");
  const [shared, setShared] = useState(false);

  async function make(): Promise<void> {
    const then = goFrom();
    const made = await send<Pipeline>("POST", "/api/v1/pipelines", { name: name.trim(), shared });
    then(href("playground", made.id, "documents"));
  }

  return (
    <Dialog title="New pipeline" open={open} onClose={close}>
      <TextField label="Name" value={name} onInput={setName} />
      <Check label="Everybody in the organisation may search it" checked={shared} onChange={setShared} />
      <Button kind="primary" disabled={!name.trim()} onClick={make}>
        Make it
      </Button>
    </Dialog>
  );
}
