import { useState } from "preact/hooks";
import { NOT_REFUSED, type Refusal, Refused, refusalOf } from "../../documents/Refused";
import { placed } from "../../documents/read";
import { may } from "../../identity";
import { Busy, Button, confirm, Failure, Page, toast } from "../../parts";
import { send, useGet } from "../../rest";
import { go, href } from "../../router";
import { bodyOf, type Texts, textsOf } from "./formed";
import { KeptField } from "./KeptField";
import { KINDS, nameOf } from "./kinds";
import { problemsOf } from "./problems";
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
  const [refusal, setRefusal] = useState<Refusal>(NOT_REFUSED);
  const list = href("evaluators", kind);
  const refused = async (error: unknown): Promise<void> => setRefusal(await refusalOf(error, { problemsOf }));
  const save = async (): Promise<void> => {
    const { body, problems } = bodyOf(fields, texts);
    if (problems.length > 0) return setRefusal({ problems: await placed(problems, null), error: null });
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
      <div class="evaluators-fields evaluators-kept">
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
      <Refused title={`The ${singular} is not stored`} refusal={refusal} />
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
