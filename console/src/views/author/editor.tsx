/** One draft: what a model makes of it, what one writes oneself, and storing it. */

import { useEffect, useState } from "preact/hooks";
import { me } from "../../identity";
import { Busy, Button, confirm, Failure, Page, toast } from "../../parts";
import { download, send, useGet } from "../../rest";
import { useRoom } from "../../rooms";
import { go, href } from "../../router";
import { someone, useFlush } from "../../saving";
import { type Desk, draftAt, makeDesk } from "./desk";
import { shownOf } from "./editing";
import { Generating } from "./generating";
import { Resource } from "./resource";
import { RUNS } from "./runs";
import { Storing } from "./storing";
import { type ArtifactDoc, type DraftRow, nameOf, titleOf } from "./types";

// Kept when the view is left: what could not be stored yet is tried again all the same.
const desks = new Map<string, Desk>();

function deskOf(row: DraftRow): Desk {
  const key = `${someone()}/${row.id}`;
  const desk = desks.get(key) ?? makeDesk(row);
  desks.set(key, desk);
  return desk;
}

export function Editor({ id }: { id: string }) {
  const { data, error, reload } = useGet<DraftRow>(draftAt(id));
  const [desk, setDesk] = useState<Desk | null>(null);
  useEffect(() => {
    if (!data) return;
    const found = deskOf(data);
    setDesk(found);
    void found.look();
  }, [data]);
  const crumbs = [{ label: "Author", to: href("author") }];
  if (error) {
    return (
      <Page title="Draft" crumbs={crumbs}>
        <Failure error={error} retry={reload} />
      </Page>
    );
  }
  return desk ? <Open key={id} desk={desk} /> : <Busy label="Opening the draft" />;
}

function Open({ desk }: { desk: Desk }) {
  const { row } = desk;
  const docs = useGet<ArtifactDoc>(`/api/v1/docs/${row.artifact_type}`);
  const runs = useRoom(me.value?.profile_id ? `profile_${me.value.profile_id}` : null, RUNS);
  const editing = desk.editing.value;
  const form = shownOf(editing);
  useFlush(desk.flush);
  const title = nameOf(form, row.artifact_type);
  return (
    <Page
      title={title}
      crumbs={[{ label: "Author", to: href("author") }]}
      actions={<Actions desk={desk} title={title} />}
    >
      <p class="author-about">
        {titleOf(row.artifact_type)}, draft, version {editing.version} <Stored desk={desk} />
      </p>
      {docs.error && <Failure error={docs.error} retry={docs.reload} />}
      {!docs.data && docs.loading && <Busy label="Reading what it consists of" />}
      {docs.data && (
        <div class="author-desk">
          <div class="author-parts">
            {Object.entries(docs.data.resource_types).map(([type, doc]) => (
              <Resource
                key={type}
                type={type}
                doc={doc}
                needed={docs.data?.needed_to_save.includes(type) ?? false}
                desk={desk}
              />
            ))}
          </div>
          <aside class="author-side" aria-label="Making and storing">
            <Generating desk={desk} docs={docs.data} runs={runs.state ?? {}} place={runs.place} />
            <Storing desk={desk} runs={runs.state ?? {}} />
          </aside>
        </div>
      )}
    </Page>
  );
}

function Stored({ desk }: { desk: Desk }) {
  const { phase, error } = desk.said.value;
  const clashes = Object.keys(desk.editing.value.theirs).length > 0;
  const said = {
    idle: "",
    typing: "Keeping…",
    saving: "Keeping…",
    saved: "Kept in the draft",
    failed: `Not kept: ${error?.message ?? ""}`,
  }[phase];
  return (
    <span class={`author-phase author-phase-${phase}`} role="status">
      {clashes ? "Changed elsewhere too: choose below what stays" : said}
    </span>
  );
}

function Actions({ desk, title }: { desk: Desk; title: string }) {
  async function remove(): Promise<void> {
    if (!(await confirm(`Delete the draft ${title}?`, "What was stored from it stays.", "Delete"))) return;
    await send("DELETE", draftAt(desk.row.id));
    toast("The draft is deleted", "good");
    go(href("author"));
  }

  async function save(): Promise<void> {
    await desk.flush();
    await download(`${draftAt(desk.row.id)}/export`, `draft-${desk.row.id}.yaml`);
  }

  return (
    <>
      <Button kind="plain" onClick={save}>
        Export
      </Button>
      <Button kind="plain" onClick={remove}>
        Delete
      </Button>
    </>
  );
}
