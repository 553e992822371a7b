import { useEffect, useRef, useState } from "preact/hooks";
import { type Placed, type Problem, placed, readSource, Unreadable } from "../../documents/read";
import { Problems, SourceBox } from "../../documents/SourceBox";
import { newId } from "../../ids";
import { Busy, Button, Failure, Page, Tabs } from "../../parts";
import { number } from "../../parts/format";
import { RestError, send, useGet } from "../../rest";
import { go, href } from "../../router";
import { type Draft, estimate, fromRequest, type Keys, NO_KEYS, newDraft, toRequest } from "./draft";
import { JobForm } from "./JobForm";
import { KeyFields } from "./KeyFields";
import { problemsOf } from "./problems";
import type { Job } from "./types";

type Way = "form" | "file";

const WRAPPERS = ["permutation", "test_case", "plugin_group", "plugin"];

/** A new job, from a form or a file; with `from` it begins as another job was sent. */
export function NewJob({ from }: { from: string | null }) {
  const { data, error, reload } = useGet<unknown>(from ? `/api/jobs/${from}/request` : null);
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
  const [problems, setProblems] = useState<Placed[]>([]);
  const eventId = useRef({ body: "", id: "" });

  const change = (to: Partial<Draft>): void => {
    setDraft({ ...draft, ...to });
    setIsEdited(true);
  };
  const turn = async (to: Way): Promise<void> => {
    if (to === way) return;
    if (to === "file" && isEdited) setText(JSON.stringify(toRequest(draft).request, null, 2));
    if (to === "form" && text.trim() !== "") {
      const read = await readable(text, setProblems);
      if (read === null) return;
      setDraft(fromRequest(read.value));
      setIsEdited(false);
    }
    setProblems([]);
    setWay(to);
  };
  const start = async (): Promise<void> => {
    const made = way === "form" ? formed(draft) : await readable(text, setProblems);
    if (made === null) return;
    if (made.problems.length > 0) {
      setProblems(await placed(made.problems, null));
      return;
    }
    const body = withKeys(made.value, keys);
    const said = JSON.stringify(body);
    // the same again has the same id: an answer that was lost does not start a second job
    if (eventId.current.body !== said) eventId.current = { body: said, id: newId() };
    try {
      const job = await send<Job>("POST", "/api/start-job?async=1", {
        client_event_id: eventId.current.id,
        ...body,
      });
      setProblems([]);
      go(href("batch", job.job_id));
    } catch (error) {
      const found = error instanceof RestError ? problemsOf(error) : [];
      if (found.length === 0) throw error;
      setProblems(await placed(found, way === "file" ? text : null, WRAPPERS));
    }
  };
  return (
    <div class="batch-new">
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
      <Problems title="This job cannot be started yet" problems={problems} />
      <div class="batch-start">
        <Size draft={draft} text={text} way={way} />
        <Button kind="primary" onClick={start}>
          Start the job
        </Button>
      </div>
    </div>
  );
}

/** Says how large the job is, a moment after the last change. */
function Size({ draft, text, way }: { draft: Draft; text: string; way: Way }) {
  const [said, setSaid] = useState("");
  useEffect(() => {
    const timer = setTimeout(async () => {
      try {
        setSaid(sizeOf(way === "form" ? toRequest(draft).request : (await readSource(text)).value));
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

interface Made {
  value: unknown;
  problems: Problem[];
}

function formed(draft: Draft): Made {
  const { request, problems } = toRequest(draft);
  return { value: request, problems };
}

async function readable(text: string, tell: (problems: Placed[]) => void): Promise<Made | null> {
  try {
    const source = await readSource(text);
    if (typeof source.value === "object" && source.value !== null && !Array.isArray(source.value)) {
      return { value: source.value, problems: [] };
    }
    throw new Unreadable("A job is one object, with name, test_plugin, permutations and so on.", 1);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    tell([{ where: "the file", line: error.line, msg: error.message }]);
    return null;
  }
}

/** Adds the keys that were typed to a request; those of a file stay where none was. */
function withKeys(value: unknown, keys: Keys): Record<string, unknown> {
  const request = value as Record<string, unknown>;
  const typed = Object.fromEntries(Object.entries(keys).filter(([, key]) => key.trim() !== ""));
  if (Object.keys(typed).length === 0) return request;
  return { ...request, config: { ...(request.config as object | undefined), ...typed } };
}
