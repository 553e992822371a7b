import { useState } from "preact/hooks";
import { type Placed, placed } from "../../documents/read";
import { Problems } from "../../documents/SourceBox";
import { may } from "../../identity";
import { Busy, Button, confirm, Failure, Page, toast } from "../../parts";
import { RestError, send, useGet } from "../../rest";
import { go, href } from "../../router";
import { bodyOf, type Texts, textsOf } from "./formed";
import { KeptField } from "./KeptField";
import { KINDS, nameOf } from "./kinds";
import { refusalsOf } from "./refusals";
import { API, type Kept, type Kind } from "./types";
import { VerifyAgent } from "./VerifyAgent";

interface Props {
  kind: Kind;
  id: string;
}

/** Something that is kept, as a form; `new` makes another one. */
export function KeptForm({ kind, id }: Props) {
  const shape = KINDS[kind];
  const { data, error, reload } = useGet<Kept>(id === "new" ? null : `${API}/${kind}/${id}/`);
  const title = data ? nameOf(kind, data) : id === "new" ? `New ${shape.singular}` : shape.singular;
  return (
    <Page title={title} crumbs={[{ label: shape.plural, to: href("evaluators", kind) }]}>
      {error && <Failure error={error} retry={reload} />}
      {id !== "new" && !data && !error && <Busy label={`Reading the ${shape.singular}`} />}
      {(id === "new" || data) && <Editor kind={kind} kept={data} />}
    </Page>
  );
}

function Editor({ kind, kept }: { kind: Kind; kept: Kept | null }) {
  const { fields, singular } = KINDS[kind];
  const [texts, setTexts] = useState<Texts>(() => textsOf(fields, kept));
  const [problems, setProblems] = useState<Placed[]>([]);
  const list = href("evaluators", kind);
  const refused = async (error: unknown): Promise<void> => {
    const found = error instanceof RestError ? refusalsOf(error) : [];
    if (found.length === 0) throw error;
    setProblems(await placed(found, null));
  };
  const save = async (): Promise<void> => {
    const { body, problems: unread } = bodyOf(fields, texts);
    if (unread.length > 0) return setProblems(await placed(unread, null));
    try {
      if (kept) await send("PATCH", `${API}/${kind}/${kept.id}/`, body);
      else await send("POST", `${API}/${kind}/`, body);
    } catch (error) {
      return refused(error);
    }
    toast(`The ${singular} is stored.`, "good");
    go(list);
  };
  const remove = async (): Promise<void> => {
    if (!kept || !(await confirm(`Remove this ${singular}?`, "Results keep copies of it.", "Remove"))) return;
    try {
      await send("DELETE", `${API}/${kind}/${kept.id}/`);
    } catch (error) {
      return refused(error);
    }
    go(list);
  };
  return (
    <>
      <div class="evaluators-fields">
        {fields.map((field) => (
          <KeptField
            key={field.name}
            field={field}
            kept={kept}
            text={texts[field.name] ?? ""}
            onText={(text) => setTexts((before) => ({ ...before, [field.name]: text }))}
          />
        ))}
      </div>
      <Problems title={`The ${singular} is not stored`} problems={problems} />
      {may("author") && (
        <div class="evaluators-bar">
          <Button kind="primary" onClick={save}>
            Save
          </Button>
          {kept && (
            <Button kind="danger" onClick={remove}>
              Remove
            </Button>
          )}
          {kind === "aiagents" && kept && <VerifyAgent agentId={kept.id} />}
        </div>
      )}
    </>
  );
}
