import { may } from "../../identity";
import { Busy, Button, Empty, Failure, Link, Page, Table, When } from "../../parts";
import { href } from "../../router";
import { KINDS, nameOf } from "./kinds";
import { useNumbered } from "./numbered";
import { Sections } from "./Sections";
import { API, type Kept, type Kind } from "./types";

/** What authors keep of one kind. */
export function KeptList({ kind }: { kind: Kind }) {
  const shape = KINDS[kind];
  const { items, more, error, loading, reload } = useNumbered<Kept>(`${API}/${kind}/`);
  const add = may("author") && <Link to={href("evaluators", kind, "new")}>New {shape.singular}</Link>;
  return (
    <Page title={shape.plural} actions={add}>
      <Sections value={kind} />
      <p class="evaluators-quiet">{shape.about}</p>
      {error && <Failure error={error} retry={reload} />}
      {loading && items.length === 0 && <Busy label={`Reading ${shape.plural.toLowerCase()}`} />}
      {!loading && !error && items.length === 0 && (
        <Empty title={`No ${shape.plural.toLowerCase()}`}>{add}</Empty>
      )}
      {items.length > 0 && (
        <Table
          caption={shape.plural}
          keyOf={(kept: Kept) => String(kept.id)}
          rows={items}
          columns={[
            { key: "id", title: "Id", align: "right" },
            {
              key: "name",
              title: "Name",
              render: (kept: Kept) => (
                <Link to={href("evaluators", kind, String(kept.id))}>{nameOf(kind, kept)}</Link>
              ),
            },
            { key: "about", title: "About", render: (kept: Kept) => aboutOf(kind, kept) },
            { key: "updated_at", title: "Changed", render: changed },
          ]}
        />
      )}
      {more && <Button onClick={more}>More</Button>}
    </Page>
  );
}

function aboutOf(kind: Kind, kept: Kept): string {
  if (kind === "aiagents") return String(kept.websocket_url ?? "no address yet");
  if (kind === "scenarios") return ((kept.tags ?? []) as string[]).join(", ");
  if (kind === "metrics") return String(kept.type).replaceAll("_", " ");
  return String(kept.prompt ?? "").slice(0, 120);
}

function changed(kept: Kept) {
  const at = kept.updated_at;
  return typeof at === "string" ? <When at={at} /> : "–";
}
