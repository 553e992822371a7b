/** The settings of a session, saved as one types. */

import { Button, Check, Choice, TextField } from "../../parts";
import { Filters } from "./filters";
import { NumberField } from "./numbers";
import type { Change, Saver } from "./saver";
import type { LlmParams, RetrievalParams, Settings } from "./types";

const MODELS = ["GPT_4O_MINI", "GPT_4O", "GPT_4_TURBO", "GPT_4", "GPT_3_5_TURBO", "AZURE_OPENAI"];
const MODES = [
  { value: "chunks", label: "Passages" },
  { value: "files_via_content", label: "Whole files, by their text" },
  { value: "files_via_metadata", label: "Whole files, by their names" },
  { value: "auto_routed", label: "As the question asks for" },
];

interface Props {
  settings: Settings;
  saver: Saver;
}

/** Show the settings as typed, which may be ahead of what the server has. */
export function SettingsPanel({ settings, saver }: Props) {
  const edit = (change: Change) => saver.edit(change);
  return (
    <section class="playground-settings" aria-label="Settings">
      <header class="playground-settings-head">
        <h2>Settings</h2>
        <SaveState saver={saver} />
      </header>
      <ModelSettings params={settings.llm_params} edit={edit} />
      <RetrievalSettings params={settings.retrieval_params} edit={edit} />
    </section>
  );
}

function SaveState({ saver }: { saver: Saver }) {
  const { phase, error } = saver.said.value;
  const said = {
    idle: "",
    typing: "Saving…",
    saving: "Saving…",
    saved: "Saved",
    failed: `Not saved: ${error?.message ?? ""}`,
  }[phase];
  return (
    <div class={`playground-saving playground-saving-${phase}`}>
      <span role="status">{said}</span>
      {phase === "failed" && (
        <Button kind="plain" onClick={() => saver.flush()}>
          Save again
        </Button>
      )}
    </div>
  );
}

interface GroupProps<T> {
  params: T;
  edit(change: Change): void;
}

function ModelSettings({ params, edit }: GroupProps<LlmParams>) {
  return (
    <fieldset>
      <legend>Answer</legend>
      <Choice
        label="Model"
        value={params.model_name}
        options={MODELS.map((value) => ({ value, label: value.replaceAll("_", " ") }))}
        onChange={(value) => edit({ "llm_params.model_name": value })}
      />
      <TextField
        label="System prompt"
        hint="What the model is told before the passages"
        multiline
        value={params.system_prompt ?? ""}
        onInput={(value) => edit({ "llm_params.system_prompt": value || null })}
      />
      <NumberField
        label="Temperature"
        value={params.temperature}
        min={0}
        max={2}
        step={0.1}
        onChange={(value) => edit({ "llm_params.temperature": value })}
      />
      <Check
        label="Reason before answering"
        checked={params.use_chain_of_thought_reasoning === true}
        onChange={(value) => edit({ "llm_params.use_chain_of_thought_reasoning": value })}
      />
    </fieldset>
  );
}

function RetrievalSettings({ params, edit }: GroupProps<RetrievalParams>) {
  const set = (name: keyof RetrievalParams) => (value: unknown) =>
    edit({ [`retrieval_params.${name}`]: value });
  return (
    <fieldset>
      <legend>Search</legend>
      <Choice
        label="What is found"
        value={params.retrieval_mode}
        options={MODES}
        onChange={set("retrieval_mode")}
      />
      <NumberField
        label="Alpha"
        hint="0 searches by words only, 1 by meaning only"
        value={params.alpha ?? 0.5}
        min={0}
        max={1}
        step={0.05}
        onChange={set("alpha")}
      />
      <div class="playground-pair">
        <TopK label="By meaning" value={params.dense_similarity_top_k} set={set("dense_similarity_top_k")} />
        <TopK label="By words" value={params.sparse_similarity_top_k} set={set("sparse_similarity_top_k")} />
      </div>
      <NumberField
        label="Least similarity"
        hint="Passages found by meaning below this are left out"
        value={params.dense_similarity_cutoff}
        min={0}
        max={1}
        step={0.05}
        onChange={set("dense_similarity_cutoff")}
      />
      {params.retrieval_mode !== "chunks" && (
        <NumberField
          label="Files"
          value={params.files_top_k}
          min={1}
          max={5}
          step={1}
          onChange={set("files_top_k")}
        />
      )}
      <Check
        label="Rerank what is found"
        checked={params.enable_reranking === true}
        onChange={set("enable_reranking")}
      />
      {params.enable_reranking && (
        <TopK label="Kept after reranking" value={params.rerank_top_n} set={set("rerank_top_n")} />
      )}
      <Filters value={params.search_filters} onChange={set("search_filters")} />
    </fieldset>
  );
}

function TopK({ label, value, set }: { label: string; value: number; set(value: number): void }) {
  return <NumberField label={label} value={value} min={1} max={100} step={1} onChange={set} />;
}
