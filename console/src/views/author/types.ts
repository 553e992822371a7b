/** What the author's view reads over HTTP. */

export type Value = Record<string, unknown>;
export type Form = Record<string, Value>;

export interface DraftRow {
  id: string;
  artifact_type: string;
  artifact_id: string | null;
  /** The version of the content when the draft was made. */
  base_version: number | null;
  version: number;
  form_state: Form;
  created_at: string;
  updated_at: string;
}

/** A run of generate that writes into a draft. */
export interface DraftRun {
  run_id: string;
  state: "running" | "done" | "failed";
  save: boolean;
  artifact_id: string | null;
  resource_types: string[];
  resources: string[];
}

export interface Schema {
  type?: string;
  title?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: Schema | boolean;
  propertyNames?: Schema;
  enum?: (string | number)[];
  anyOf?: Schema[];
  const?: unknown;
  default?: unknown;
  format?: string;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  $ref?: string;
  $defs?: Record<string, Schema>;
  /** Null may be chosen; said by `plain`. */
  nullable?: boolean;
}

interface ResourceDoc {
  operations: string[];
  schema: Schema | null;
  form: (Schema | null)[];
}

export interface ArtifactDoc {
  artifact_type: string;
  needed_to_save: string[];
  resource_types: Record<string, ResourceDoc>;
  content: Schema | null;
}

/** The forms in which a part of a draft may be kept. */
export function formsOf(docs: ArtifactDoc, type: string): Schema[] {
  return docs.resource_types[type]?.form.filter((one) => one !== null) ?? [];
}

export interface ContentRow extends Value {
  id: string;
  kind: string;
  name: string;
  description?: string;
  version: number;
}

/** What can be made here: its name in the contract, what people call it, and where it is stored. */
export const ARTIFACTS = [
  { name: "simulation", title: "Practice", kind: "practice" },
  { name: "scenario", title: "Scenario", kind: "scenario" },
  { name: "persona", title: "Persona", kind: "persona" },
  { name: "rubric", title: "Rubric", kind: "rubric" },
  { name: "document", title: "Document", kind: "document" },
  { name: "parameter", title: "Parameter", kind: "parameter" },
  { name: "agent", title: "Agent", kind: "agent" },
  { name: "eval", title: "Benchmark", kind: "benchmark" },
  { name: "cohort", title: "Home", kind: "home" },
] as const;

export function titleOf(artifact: string): string {
  return ARTIFACTS.find(({ name }) => name === artifact)?.title ?? artifact;
}

/** The kind of content that is made of it. */
export function kindOf(artifact: string): string {
  return ARTIFACTS.find(({ name }) => name === artifact)?.kind ?? artifact;
}

/** The name of a draft: what its form says, or what it is to become. */
export function nameOf({ artifact_type, artifact_id }: DraftRow, form: Form): string {
  const name = form.names?.name;
  if (typeof name === "string" && name.trim()) return name;
  const title = titleOf(artifact_type).toLowerCase();
  return artifact_id ? `Changes to a ${title}` : `New ${title}`;
}

/** A name of the contract as words: `pass_points` as Pass points, `document_ids` as Documents. */
export function words(name: string): string {
  const said = name.replace(/_id(?=s?$)/, "").replaceAll("_", " ");
  return said.charAt(0).toUpperCase() + said.slice(1);
}
