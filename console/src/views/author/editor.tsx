/** One draft: what a model makes of it, what one writes oneself, and storing it. */

import { useEffect, useState } from "preact/hooks";
import { me } from "../../identity";
import { Badge, Busy, Button, confirm, Failure, Link, Page, toast } from "../../parts";
import { personal } from "../../personal";
import { download, type Got, RestError, type Page as RestPage, send, useGet } from "../../rest";
import { useRoom } from "../../rooms";
import { go, href } from "../../router";
import { useFlush } from "../../saving";
import { contentAt } from "./contentdesk";
import { type Desk, draftAt, makeDesk } from "./desk";
import { shownOf } from "./editing";
import { Generating } from "./generating";
import { Resource } from "./resource";
import { RUNS } from "./runs";
import { Storing } from "./storing";
import {
  type ArtifactDoc,
  type ContentRow,
  type DraftRow,
  type DraftRun,
  kindOf,
  nameOf,
  titleOf,
} from "./types";

const FEW = 10; // runs among which the newest are looked for

// Kept when the view is left: what could not be stored yet is tried again all the same.
const desks = personal<Desk>();

function deskOf(row: DraftRow): Desk {
  const desk = desks.get(row.id) ?? makeDesk(row);
  desks.set(row.id, desk);
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
  const content = useContent(row);
  const runs = useRoom(me.value?.profile_id ? `profile_${me.value.profile_id}` : null, RUNS);
  const past = useGet<RestPage<DraftRun>>(`${draftAt(row.id)}/runs`, { limit: FEW });
  const history = past.data?.items ?? [];
  const editing = desk.editing.value;
  const form = shownOf(editing);
  useFlush(desk.flush);
  const title = content.data && !form.names ? `Changes to ${content.data.name}` : nameOf(row, form);
  return (
    <Page
      title={title}
      crumbs={[{ label: "Author", to: href("author") }]}
      actions={<Actions desk={desk} title={title} />}
    >
      <p class="author-about">
        {titleOf(row.artifact_type)}, draft, version {editing.version} <Stored desk={desk} />
      </p>
      {row.artifact_id && <Of row={row} content={content} />}
      {docs.error && <Failure error={docs.error} retry={docs.reload} />}
      {!docs.data && docs.loading && <Busy label="Reading what it consists of" />}
      {docs.data && (
        <div class="author-desk">
          <div class="author-parts">
            {Object.keys(docs.data.resource_types).map((type) => (
              <Resource
                key={type}
                {...{ type, desk }}
                docs={docs.data as ArtifactDoc}
                content={content.data}
              />
            ))}
          </div>
          <aside class="author-side" aria-label="Making and storing">
            <Generating {...{ desk, history }} docs={docs.data} runs={runs.state ?? {}} place={runs.place} />
            <Storing {...{ desk, history, content }} runs={runs.state ?? {}} />
          </aside>
        </div>
      )}
    </Page>
  );
}

/** The content that a draft is of, if it exists: a simulation is a practice or a home. */
function useContent(row: DraftRow): Got<ContentRow> {
  const kinds = row.artifact_type === "simulation" ? ["practice", "home"] : [kindOf(row.artifact_type)];
  const [first = "", other] = kinds.map((kind) => row.artifact_id && contentAt(kind, row.artifact_id));
  const found = useGet<ContentRow>(first || null);
  const missing = found.error instanceof RestError && found.error.status === 404;
  const instead = useGet<ContentRow>((missing && other) || null);
  return missing && other ? instead : found;
}

/** Say of what the draft is, and whether that was stored anew since. */
function Of({ row, content }: { row: DraftRow; content: Got<ContentRow> }) {
  if (content.error) return <Failure error={content.error} retry={content.reload} />;
  if (!content.data) return <Busy label="Reading what is stored" />;
  const { id, kind, name, version } = content.data;
  const newer = row.base_version !== null && version > row.base_version;
  return (
    <p class="author-about">
      <span>
        Changes <Link to={href("author", "content", kind, id)}>{name}</Link>, version {version}
      </span>
      {newer && (
        <Badge tone="warn">{`stored anew since this draft was made of version ${row.base_version}`}</Badge>
      )}
    </p>
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
    await desk.settled();
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
