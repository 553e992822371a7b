/** Content that is stored: everything in it, to be read and changed. */

import { useEffect, useState } from "preact/hooks";
import { Badge, Busy, Button, Failure, Page, toast } from "../../parts";
import { RestError, send, useGet } from "../../rest";
import { goFrom, href } from "../../router";
import { Clash } from "./clash";
import { type ContentDesk, contentAt, contentDeskOf } from "./contentdesk";
import { shownOf } from "./editing";
import { SchemaField } from "./fields";
import { Practise } from "./practising";
import { plain, withoutIds } from "./schemas";
import { ARTIFACTS, type ArtifactDoc, type ContentRow, type DraftRow, type Schema, words } from "./types";

interface Props {
  kind: string;
  id: string;
}

export function ContentEditor({ kind, id }: Props) {
  const artifact = ARTIFACTS.find((one) => one.kind === kind);
  const docs = useGet<ArtifactDoc>(artifact ? `/api/v1/docs/${artifact.name}` : null);
  const row = useGet<ContentRow>(contentAt(kind, id));
  const [desk, setDesk] = useState<ContentDesk | null>(null);
  useEffect(() => {
    if (!row.data) return;
    const found = contentDeskOf(row.data);
    found.heard(row.data);
    setDesk(found);
  }, [row.data]);
  const crumbs = [{ label: `${artifact?.title ?? "Content"}s`, to: href("author", "content", kind) }];
  const error = row.error ?? docs.error;
  if (error) {
    return (
      <Page title={artifact?.title ?? "Content"} crumbs={crumbs}>
        <Failure
          error={error}
          retry={() => {
            row.reload();
            docs.reload();
          }}
        />
      </Page>
    );
  }
  const schema = docs.data?.content;
  if (!desk || !schema) return <Busy label="Reading what is stored" />;
  return <Open kind={kind} id={id} desk={desk} schema={withoutIds(schema)} crumbs={crumbs} />;
}

interface OpenProps extends Props {
  desk: ContentDesk;
  schema: Schema;
  crumbs: { label: string; to: string }[];
}

function Open({ kind, id, desk, schema, crumbs }: OpenProps) {
  const [problems, setProblems] = useState<Record<string, string>>({});
  const editing = desk.editing.value;
  const changed = Object.keys(editing.mine).length;
  const clashes = Object.keys(editing.theirs).length;
  const fields = shownOf(editing);
  useUnstored(changed > 0);

  async function store(): Promise<void> {
    setProblems({});
    try {
      if (await desk.store()) toast("It is stored", "good");
      else toast("Somebody else stored meanwhile. Look at it, and store again.", "warn");
    } catch (reason) {
      setProblems(problemsIn(reason));
      throw reason;
    }
  }

  const artifact = ARTIFACTS.find((one) => one.kind === kind);
  return (
    <Page
      title={String(fields.name || artifact?.title)}
      crumbs={crumbs}
      actions={<Actions kind={kind} id={id} changed={changed > 0} />}
    >
      <div class="author-store">
        <p class="author-about" role="status">
          {artifact?.title}, version {editing.version}
          {changed > 0 && <Badge tone="info">{`${changed} changed`}</Badge>}
          {clashes > 0 && <Badge tone="warn">choose what stays</Badge>}
        </p>
        <Button kind="primary" disabled={changed === 0 || clashes > 0} onClick={store}>
          Store
        </Button>
      </div>
      <div class="author-fields author-content">
        {Object.entries(schema.properties ?? {}).map(([name, one]) => (
          <ContentField
            key={`${name} ${name in editing.theirs}`}
            {...{ name, desk, schema: one, root: schema, problem: problems[name] }}
          />
        ))}
      </div>
    </Page>
  );
}

interface FieldProps {
  name: string;
  desk: ContentDesk;
  schema: Schema;
  root: Schema;
  problem: string | undefined;
}

function ContentField({ name, desk, schema, root, problem }: FieldProps) {
  const editing = desk.editing.value;
  const clashes = name in editing.theirs;
  const label = words(name);
  const field = (
    <SchemaField
      {...{ schema, root, name, label }}
      value={shownOf(editing)[name]}
      onChange={(value) => desk.type(name, value)}
    />
  );
  const isGroup = plain(schema, root).properties !== undefined;
  return (
    <section class={`author-part${clashes ? " author-part-clash" : ""}`} aria-label={label}>
      {clashes && (
        <Clash
          mine={editing.mine[name]}
          theirs={editing.theirs[name]}
          place="content"
          choose={(whose) => desk.choose(name, whose)}
        />
      )}
      {isGroup ? (
        <details class="author-group">
          <summary>{label}</summary>
          {field}
        </details>
      ) : (
        field
      )}
      {problem && (
        <p class="author-failed" role="alert">
          {problem}
        </p>
      )}
    </section>
  );
}

function Actions({ kind, id, changed }: Props & { changed: boolean }) {
  async function draft(): Promise<void> {
    const artifact_type = ARTIFACTS.find((one) => one.kind === kind)?.name;
    const then = goFrom();
    const made = await send<DraftRow>("POST", "/api/v1/drafts", { artifact_type, artifact_id: id });
    then(href("author", made.id));
  }

  return (
    <>
      <Button kind="plain" onClick={draft}>
        Have a model change it
      </Button>
      {(kind === "practice" || kind === "home") && !changed && (
        <Practise of={kind} id={async () => id}>
          Practise
        </Practise>
      )}
    </>
  );
}

/** Ask before the page is closed with something that is not stored. */
function useUnstored(unstored: boolean): void {
  useEffect(() => {
    if (!unstored) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, [unstored]);
}

/** What a refusal says of single fields. */
function problemsIn(reason: unknown): Record<string, string> {
  if (!(reason instanceof RestError) || !Array.isArray(reason.details)) return {};
  const details = reason.details as { loc: (string | number)[]; msg: string }[];
  return Object.fromEntries(
    details.map(({ loc, msg }) => [String(loc[0]), `${loc.slice(1).join(", ")} ${msg}`.trim()]),
  );
}
