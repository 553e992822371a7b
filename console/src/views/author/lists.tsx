/** One's drafts, and the content of the organisation. */

import { useState } from "preact/hooks";
import {
  Busy,
  Button,
  Choice,
  confirm,
  Dialog,
  Empty,
  Failure,
  Link,
  Page,
  Table,
  Tabs,
  When,
} from "../../parts";
import { number, shortId } from "../../parts/format";
import { download, send, usePages } from "../../rest";
import { go, goFrom, href } from "../../router";
import { Practise } from "./practising";
import { ARTIFACTS, type ContentRow, type DraftRow, nameOf, titleOf } from "./types";

/** Show drafts, or content of one kind. */
export function Lists({ kind }: { kind: string | null }) {
  const [making, setMaking] = useState(false);
  const tabs = [
    { id: "drafts", label: "Drafts" },
    ...ARTIFACTS.map((one) => ({ id: one.kind, label: `${one.title}s` })),
  ];
  return (
    <Page
      title="Author"
      actions={
        <Button kind="primary" onClick={() => setMaking(true)}>
          New
        </Button>
      }
    >
      <Tabs
        label="What is listed"
        tabs={tabs}
        value={kind ?? "drafts"}
        onChange={(to: string) =>
          go(to === "drafts" ? href("author") : href("author", "content", to), { replace: true })
        }
      />
      {kind ? <Content key={kind} kind={kind} /> : <Drafts />}
      <MakeDraft open={making} close={() => setMaking(false)} first={kind} />
    </Page>
  );
}

function Drafts() {
  const { items, more, error, loading, reload } = usePages<DraftRow>("/api/v1/drafts");

  async function remove(row: DraftRow): Promise<void> {
    const name = nameOf(row, row.form_state);
    if (!(await confirm(`Delete the draft ${name}?`, "What was stored from it stays.", "Delete"))) return;
    await send("DELETE", `/api/v1/drafts/${row.id}`);
    reload();
  }

  async function duplicate(row: DraftRow): Promise<void> {
    await send("POST", `/api/v1/drafts/${row.id}/duplicate`);
    reload();
  }

  const columns = [
    {
      key: "name",
      title: "Draft",
      render: (row: DraftRow) => <Link to={href("author", row.id)}>{nameOf(row, row.form_state)}</Link>,
    },
    { key: "kind", title: "Of", render: (row: DraftRow) => titleOf(row.artifact_type) },
    { key: "changed", title: "Changed", render: (row: DraftRow) => <When at={row.updated_at} /> },
    {
      key: "actions",
      title: "",
      render: (row: DraftRow) => (
        <span class="author-actions">
          <Button kind="plain" onClick={() => duplicate(row)}>
            Duplicate
          </Button>
          <Button kind="plain" onClick={() => remove(row)}>
            Delete
          </Button>
        </span>
      ),
    },
  ];
  const empty = <Empty title="No drafts">Make one, and say what it should be.</Empty>;
  return (
    <Listed {...{ error, loading, reload, more }} count={items.length}>
      <Table
        caption="Drafts"
        columns={columns}
        rows={items}
        keyOf={(row: DraftRow) => row.id}
        empty={empty}
      />
    </Listed>
  );
}

function Content({ kind }: { kind: string }) {
  const at = `/api/v1/${kind}s`;
  const { items, more, error, loading, reload } = usePages<ContentRow>(at);
  const artifact = ARTIFACTS.find((one) => one.kind === kind);

  async function remove(row: ContentRow): Promise<void> {
    if (!(await confirm(`Delete ${row.name}?`, "It cannot be chosen any more.", "Delete"))) return;
    await send("DELETE", `${at}/${row.id}`);
    reload();
  }

  async function duplicate(row: ContentRow): Promise<void> {
    await send("POST", `${at}/${row.id}/duplicate`);
    reload();
  }

  const columns = [
    {
      key: "name",
      title: artifact?.title ?? kind,
      render: (row: ContentRow) => (
        <span class="author-name">
          <Link to={href("author", "content", kind, row.id)}>{row.name}</Link>{" "}
          <code title={row.id}>{shortId(row.id)}</code>
          {row.description && <span class="author-description">{row.description}</span>}
        </span>
      ),
    },
    {
      key: "version",
      title: "Version",
      align: "right" as const,
      render: (row: ContentRow) => number(row.version),
    },
    {
      key: "actions",
      title: "",
      render: (row: ContentRow) => (
        <span class="author-actions">
          {(kind === "practice" || kind === "home") && (
            <Practise of={kind} id={async () => row.id} label={`Practise ${row.name}`}>
              Practise
            </Practise>
          )}
          <Button kind="plain" onClick={() => download(`${at}/${row.id}/export`, `${kind}-${row.id}.yaml`)}>
            Export
          </Button>
          <Button kind="plain" label={`Duplicate ${row.name}`} onClick={() => duplicate(row)}>
            Duplicate
          </Button>
          <Button kind="plain" onClick={() => remove(row)}>
            Delete
          </Button>
        </span>
      ),
    },
  ];
  const empty = <Empty title="Nothing yet">What is stored from drafts and packs is here.</Empty>;
  return (
    <Listed {...{ error, loading, reload, more }} count={items.length}>
      <Table
        caption={`${artifact?.title ?? kind}s`}
        columns={columns}
        rows={items}
        keyOf={(row: ContentRow) => row.id}
        empty={empty}
      />
    </Listed>
  );
}

interface ListedProps {
  error: Error | null;
  loading: boolean;
  count: number;
  more: (() => void) | null;
  reload(): void;
  children: preact.ComponentChildren;
}

function Listed({ error, loading, count, more, reload, children }: ListedProps) {
  if (error) return <Failure error={error} retry={reload} />;
  if (loading && count === 0) return <Busy label="Reading" />;
  return (
    <>
      {children}
      {more && (
        <Button kind="plain" busy={loading} onClick={more}>
          Show more
        </Button>
      )}
    </>
  );
}

function MakeDraft({ open, close, first }: { open: boolean; close(): void; first: string | null }) {
  const [artifact, setArtifact] = useState<string>(
    ARTIFACTS.find((one) => one.kind === first)?.name ?? "simulation",
  );

  async function make(): Promise<void> {
    const then = goFrom();
    const made = await send<DraftRow>("POST", "/api/v1/drafts", { artifact_type: artifact });
    then(href("author", made.id));
  }

  return (
    <Dialog title="New draft" open={open} onClose={close}>
      <Choice
        label="What it becomes"
        value={artifact}
        options={ARTIFACTS.map(({ name, title }) => ({ value: name, label: title }))}
        onChange={setArtifact}
      />
      <Button kind="primary" onClick={make}>
        Begin
      </Button>
    </Dialog>
  );
}
