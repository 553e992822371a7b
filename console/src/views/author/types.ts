/** What the author's view reads over HTTP. */

export type Value = Record<string, unknown>;
export type Form = Record<string, Value>;

export interface DraftRow {
  id: string;
  artifact_type: string;
  artifact_id: string | null;
  version: number;
  form_state: Form;
  created_at: string;
  updated_at: string;
}

export interface Schema {
  type?: string;
  title?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
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
}

export interface ResourceDoc {
  operations: string[];
  schema: Schema | null;
  form: (Schema | null)[];
}

export interface ArtifactDoc {
  artifact_type: string;
  needed_to_save: string[];
  resource_types: Record<string, ResourceDoc>;
}

export interface ContentRow {
  id: string;
  kind: string;
  name: string;
  description?: string;
  version: number;
  updated_at?: string;
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

/** The name of a draft: what its form says, or what it is to become. */
export function nameOf(form: Form, artifact: string): string {
  const name = form.names?.name;
  return typeof name === "string" && name.trim() ? name : `New ${titleOf(artifact).toLowerCase()}`;
}

/** A name of the contract as words: `pass_points` as Pass points. */
export function words(name: string): string {
  const said = name.replaceAll("_", " ");
  return said.charAt(0).toUpperCase() + said.slice(1);
}
