import { useEffect, useState } from "preact/hooks";
import { Dropping } from "../../documents/Dropping";
import { NOT_REFUSED, type Refusal, Refused, refusalOf } from "../../documents/Refused";
import { placed, readObject, Unreadable } from "../../documents/read";
import { SourceBox } from "../../documents/SourceBox";
import { done, nameOnce } from "../../once";
import { Busy, Button, Failure, Page, Tabs } from "../../parts";
import { number } from "../../parts/format";
import { send, useGet } from "../../rest";
import { goFrom, href } from "../../router";
import { type Draft, estimate, fromRequest, type Keys, NO_KEYS, newDraft, toRequest } from "./draft";
import { JobForm } from "./JobForm";
import { KeyFields } from "./KeyFields";
import { problemsOf } from "./problems";
import type { Job } from "./types";
import { jobAt } from "./types";

type Way = "form" | "file";

const A_JOB = "A job is one object, with name, test_plugin, permutations and so on.";
const WRAPPERS = ["permutation", "test_case", "plugin_group", "plugin"];

/** A new job, from a form or a file; with `from` it begins as another job was sent. */
export function NewJob({ from }: { from: string | null }) {
  const { data, error, reload } = useGet<unknown>(from ? `${jobAt(from)}/request` : null);
  return (
    <Page title="New batch job" crumbs={[{ label: "Batch jobs", to: href("batch") }]}>
      {error && <Failure error={error} retry={reload} />}
      {from && !data && !error && <Busy label="Reading the job that was sent" />}
      {(!from || data !== null) && (
        <Editor begun={data === null ? newDraft() : fromRequest(data)} sent={data} />
      )}
    </Page>
  );
}

function Editor({ begun, sent }: { begun: Draft; sent: unknown }) {
  const [way, setWay] = useState<Way>("form");
  const [draft, setDraft] = useState(begun);
  const [text, setText] = useState(() => (sent === null ? "" : JSON.stringify(sent, null, 2)));
  const [isEdited, setIsEdited] = useState(false); // the form says more than the file
  const [keys, setKeys] = useState<Keys>(NO_KEYS);
  const [refusal, setRefusal] = useState<Refusal>(NOT_REFUSED);

  const change = (to: Partial<Draft>): void => {
    setDraft({ ...draft, ...to });
    setIsEdited(true);
  };
  const refused = async (error: unknown): Promise<void> =>
    setRefusal(
      await refusalOf(error, { problemsOf, text: way === "file" ? text : null, wrappers: WRAPPERS }),
    );
  const turn = async (to: Way): Promise<void> => {
    if (to === way) return;
    if (to === "file" && isEdited) setText(JSON.stringify(toRequest(draft).request, null, 2));
    if (to === "form" && text.trim() !== "") {
      try {
        setDraft(fromRequest(await readObject(text, A_JOB)));
      } catch (error) {
        return refused(error);
      }
      setIsEdited(false);
    }
    setRefusal(NOT_REFUSED);
    setWay(to);
  };
  const start = async (): Promise<void> => {
    try {
      const { request, problems } = way === "form" ? toRequest(draft) : await fromText(text);
      if (problems.length > 0) return setRefusal({ problems: await placed(problems, null), error: null });
      const body = withKeys(request, keys);
      const said = JSON.stringify(body);
      const named = { client_event_id: nameOnce(said), ...body };
      const then = goFrom();
      const job = await send<Job>("POST", "/api/start-job?async=1", named);
      done(said);
      setRefusal(NOT_REFUSED);
      then(href("batch", job.job_id));
    } catch (error) {
      await refused(error);
    }
  };
  const take = (dropped: string): void => {
    setText(dropped);
    setRefusal(NOT_REFUSED);
    setWay("file");
  };
  return (
    <Dropping onText={take}>
      <Tabs
        label="How the job is given"
        tabs={[
          { id: "form", label: "Form" },
          { id: "file", label: "File" },
        ]}
        value={way}
        onChange={(to: string) => void turn(to as Way)}
      />
      {way === "form" ? (
        <JobForm draft={draft} change={change} />
      ) : (
        <SourceBox
          label="The job as YAML or JSON"
          hint="Paste it, drop a file here, or choose one."
          text={text}
          onText={setText}
        />
      )}
      <KeyFields keys={keys} onKeys={setKeys} />
      <Refused title="This job cannot be started yet" refusal={refusal} />
      <div class="batch-start">
        <Size draft={draft} text={text} way={way} />
        <Button kind="primary" onClick={start}>
          Start the job
        </Button>
      </div>
    </Dropping>
  );
}

/** Says how large the job is, a moment after the last change. */
function Size({ draft, text, way }: { draft: Draft; text: string; way: Way }) {
  const [said, setSaid] = useState("");
  useEffect(() => {
    const timer = setTimeout(async () => {
      try {
        setSaid(sizeOf(way === "form" ? toRequest(draft).request : await readObject(text, A_JOB)));
      } catch (error) {
        setSaid(error instanceof Unreadable ? "" : String(error));
      }
    }, 300);
    return () => clearTimeout(timer);
  }, [draft, text, way]);
  return <output class="batch-size">{said}</output>;
}

function sizeOf(request: unknown): string {
  const size = estimate(request);
  const parts = [
    counted(size.cases, "case"),
    counted(size.permutations, "permutation"),
    counted(size.languages, "language"),
  ];
  const more = size.translations > 0 ? `, and ${counted(size.translations, "translation")}` : "";
  return `${parts.join(" × ")} = ${counted(size.runs, "run")}${more}`;
}

function counted(count: number, what: string): string {
  return `${number(count)} ${what}${count === 1 ? "" : "s"}`;
}

async function fromText(text: string): Promise<ReturnType<typeof toRequest>> {
  return { request: await readObject(text, A_JOB), problems: [] };
}

/** Adds the keys that were typed to a request; those of a file stay where none was. */
function withKeys(request: Record<string, unknown>, keys: Keys): Record<string, unknown> {
  const typed = Object.fromEntries(Object.entries(keys).filter(([, key]) => key.trim() !== ""));
  if (Object.keys(typed).length === 0) return request;
  return { ...request, config: { ...(request.config as object | undefined), ...typed } };
}
