import { useState } from "preact/hooks";
import { NOT_REFUSED, type Refusal, Refused, refusalOf } from "../../documents/Refused";
import { Button, Check, Choice, Empty, Failure, Link, TextField } from "../../parts";
import { number } from "../../parts/format";
import { href } from "../../router";
import { nameOf } from "./kinds";
import { useNumbered } from "./numbered";
import { Picks } from "./Picks";
import { problemsOf } from "./problems";
import { type StartRequest, start } from "./start";
import { API, type Kept } from "./types";

/** What a form of a run says. */
interface RunDraft {
  agent: string;
  scenarios: number[];
  personalities: number[];
  profiles: number[];
  freq: string;
  name: string;
  limit: string;
  url: string;
  headers: string; // "name: value", one a line
}

export const NEW_RUN: RunDraft = {
  agent: "",
  scenarios: [],
  personalities: [],
  profiles: [],
  freq: "1",
  name: "",
  limit: "",
  url: "",
  headers: "",
};

interface Props {
  draft: RunDraft;
  onDraft(draft: RunDraft): void;
}

/** A run of scenarios that are kept. */
export function RunForm({ draft, onDraft }: Props) {
  const [refusal, setRefusal] = useState<Refusal>(NOT_REFUSED);
  const agents = useNumbered<Kept>(`${API}/aiagents/`, 200);
  const set = (change: Partial<RunDraft>): void => onDraft({ ...draft, ...change });
  const options = agents.items.map((one) => ({ value: String(one.id), label: nameOf("aiagents", one) }));
  const runs =
    times(draft.scenarios) * times(draft.personalities) * times(draft.profiles) * (Number(draft.freq) || 1);
  const run = async (): Promise<void> => {
    const line = linesOf(draft.headers).find((one) => !one.includes(":"));
    if (line !== undefined) {
      const problem = { where: "Headers", line: null, msg: `“${line}” has no colon: write “name: value”.` };
      return setRefusal({ problems: [problem], error: null });
    }
    try {
      await start(requestOf(draft));
    } catch (error) {
      setRefusal(await refusalOf(error, { problemsOf }));
    }
  };
  if (!agents.loading && agents.items.length === 0 && !agents.error) {
    return (
      <Empty title="No agents">
        Make one first, and a scenario for it, or bring both in a file.{" "}
        <Link to={href("evaluators", "aiagents", "new")}>New agent</Link>
      </Empty>
    );
  }
  return (
    <>
      {agents.error && <Failure error={agents.error} retry={agents.reload} />}
      <div class="evaluators-fields">
        <Choice
          label="Agent"
          value={draft.agent}
          options={[{ value: "", label: "choose one" }, ...options]}
          onChange={(agent) => set({ agent, scenarios: [] })}
        />
        <TextField label="Name of the result" value={draft.name} onInput={(name) => set({ name })} />
        <TextField
          label="How often each is run"
          type="number"
          value={draft.freq}
          onInput={(freq) => set({ freq })}
        />
        <TextField
          label="Calls at once"
          hint="Empty for as many as the server takes."
          type="number"
          value={draft.limit}
          onInput={(limit) => set({ limit })}
        />
      </div>
      {draft.agent !== "" && (
        <Scenarios
          key={draft.agent}
          agent={draft.agent}
          chosen={draft.scenarios}
          onChosen={(scenarios) => set({ scenarios })}
        />
      )}
      <details class="evaluators-details">
        <summary>Personalities, test profiles, address and headers</summary>
        <div class="evaluators-fields">
          <Picks
            label="Personalities"
            kind="personalities"
            chosen={draft.personalities}
            onChosen={(personalities) => set({ personalities })}
          />
          <Picks
            label="Test profiles"
            kind="test-profiles"
            chosen={draft.profiles}
            onChosen={(profiles) => set({ profiles })}
          />
          <TextField
            label="WebSocket address"
            hint="In place of the agent's."
            value={draft.url}
            onInput={(url) => set({ url })}
          />
          <TextField
            label="Headers"
            hint="Beside the agent's: “name: value”, one a line."
            multiline
            value={draft.headers}
            onInput={(headers) => set({ headers })}
          />
        </div>
      </details>
      <Refused title="Nothing was started" refusal={refusal} />
      <div class="evaluators-bar">
        <Button kind="primary" disabled={draft.scenarios.length === 0} onClick={run}>
          Start
        </Button>
        <output class="evaluators-quiet">
          {draft.scenarios.length > 0 && `${number(runs)} ${runs === 1 ? "run" : "runs"}`}
        </output>
      </div>
    </>
  );
}

function times(chosen: number[]): number {
  return Math.max(1, chosen.length);
}

interface ScenariosProps {
  agent: string;
  chosen: number[];
  onChosen(ids: number[]): void;
}

function Scenarios({ agent, chosen, onChosen }: ScenariosProps) {
  const [tag, setTag] = useState("");
  const { items, more, error, loading, reload } = useNumbered<Kept>(
    `${API}/scenarios/?agent_id=${agent}`,
    200,
  );
  const tags = [...new Set(items.flatMap(tagsOf))].sort();
  const shown = tag === "" ? items : items.filter((one) => tagsOf(one).includes(tag));
  const isAll = shown.length > 0 && shown.every((one) => chosen.includes(one.id));
  const others = chosen.filter((id) => !shown.some((one) => one.id === id));
  return (
    <fieldset class="evaluators-picks">
      <legend>Scenarios</legend>
      {error && <Failure error={error} retry={reload} />}
      {!loading && items.length === 0 && <p class="evaluators-quiet">The agent has none.</p>}
      {tags.length > 0 && (
        <Choice
          label="Tag"
          value={tag}
          options={[{ value: "", label: "any" }, ...tags.map((one) => ({ value: one, label: one }))]}
          onChange={setTag}
        />
      )}
      {shown.length > 1 && (
        <div class="evaluators-all">
          <Check
            label="All of these"
            checked={isAll}
            onChange={(all) => onChosen(all ? [...others, ...shown.map((one) => one.id)] : others)}
          />
        </div>
      )}
      {shown.map((one) => (
        <Check
          key={one.id}
          label={nameOf("scenarios", one)}
          checked={chosen.includes(one.id)}
          onChange={(isChosen) =>
            onChosen(isChosen ? [...chosen, one.id] : chosen.filter((id) => id !== one.id))
          }
        />
      ))}
      {more && <Button onClick={more}>More scenarios</Button>}
    </fieldset>
  );
}

function tagsOf(one: Kept): string[] {
  return (one.tags ?? []) as string[];
}

function requestOf(draft: RunDraft): StartRequest {
  const request: StartRequest = { scenarios: draft.scenarios };
  if (draft.freq.trim()) request.freq = Number(draft.freq);
  if (draft.name.trim()) request.name = draft.name.trim();
  if (draft.limit.trim()) request.concurrency_limit = Number(draft.limit);
  if (draft.url.trim()) request.websocket_url = draft.url.trim();
  if (draft.headers.trim()) request.websocket_headers = headersOf(draft.headers);
  if (draft.personalities.length > 0) request.personality_ids = draft.personalities;
  if (draft.profiles.length > 0) request.test_profile_ids = draft.profiles;
  return request;
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

function headersOf(text: string): Record<string, string> {
  return Object.fromEntries(
    linesOf(text).map((line) => {
      const [name = "", ...value] = line.split(":");
      return [name.trim(), value.join(":").trim()];
    }),
  );
}
