// A batch job as its form holds it, made from a request and into one; what the form does not show is kept.

import type { Problem } from "../../documents/read";
import type { CaseType, ParameterMatch } from "./types";

type Fields = Record<string, unknown>;

interface GroupDraft {
  name: string;
  urls: string; // one a line
}

export interface PermutationDraft {
  name: string;
  provider: string;
  model_name: string;
  selector: string; // provider/pipeline
  group: string;
  settings: Record<Setting, string>;
}

export interface CaseDraft {
  name: string;
  type: CaseType;
  prompt: string;
  plugin: string;
  api: string;
  method: string;
  parameters: string; // JSON
  more: Fields;
}

export interface Draft {
  name: string;
  version: string;
  plugin: string;
  groups: GroupDraft[];
  permutations: PermutationDraft[];
  cases: CaseDraft[];
  languages: string; // separated by commas
  source_language: string;
  concurrency: string;
  parameter_match: ParameterMatch;
  allow_api_calls: boolean;
  cache: boolean;
}

/** Keys of a client: sent with the job, in no draft, and forgotten with the page. */
export interface Keys {
  openai_api_key: string;
  openplugin_api_key: string;
}

export const NO_KEYS: Keys = { openai_api_key: "", openplugin_api_key: "" };
export const SETTINGS = [
  "temperature",
  "max_tokens",
  "top_p",
  "frequency_penalty",
  "presence_penalty",
  "n",
  "best_of",
  "max_retries",
] as const;
type Setting = (typeof SETTINGS)[number];
export const SELECTORS = [
  { value: "OpenAI/default", label: "Functions (OpenAI)" },
  { value: "Imprompt/default", label: "Two questions (Imprompt)" },
  { value: "Langchain/zero-shot-react-description", label: "ReAct (Langchain)" },
  { value: "Langchain/structured-chat-zero-shot-react-description", label: "ReAct with JSON (Langchain)" },
];

const NO_SETTINGS = Object.fromEntries(SETTINGS.map((name) => [name, ""])) as Record<Setting, string>;

export function newGroup(number: number): GroupDraft {
  return { name: `group ${number}`, urls: "" };
}

export function newPermutation(number: number, group: string): PermutationDraft {
  const llm = { provider: "OpenAI", model_name: "", settings: { ...NO_SETTINGS } };
  return { name: `permutation ${number}`, ...llm, selector: "OpenAI/default", group };
}

export function newCase(number: number): CaseDraft {
  const expected = { plugin: "", api: "", method: "", parameters: "" };
  return { name: `test ${number}`, type: "plugin_selector", prompt: "", ...expected, more: {} };
}

export function newDraft(): Draft {
  return {
    name: "",
    version: "1.0",
    plugin: "",
    groups: [newGroup(1)],
    permutations: [newPermutation(1, "group 1")],
    cases: [newCase(1)],
    languages: "",
    source_language: "English",
    concurrency: "16",
    parameter_match: "exact",
    allow_api_calls: false,
    cache: true,
  };
}

/** Returns the request that a draft means, and what in it cannot be one. */
export function toRequest(draft: Draft): { request: Fields; problems: Problem[] } {
  const problems: Problem[] = [];
  const request = {
    version: draft.version,
    name: draft.name,
    config: {
      auto_translate_to_languages: listOf(draft.languages, ","),
      source_language: draft.source_language,
      concurrency: numberIn(draft.concurrency, ["config", "concurrency"], problems),
      parameter_match: draft.parameter_match,
      allow_api_calls: draft.allow_api_calls,
      cache: draft.cache,
    },
    test_plugin: { manifest_url: draft.plugin.trim() },
    plugin_groups: draft.groups.map((group) => ({
      name: group.name,
      plugins: listOf(group.urls, "\n").map((manifest_url) => ({ manifest_url })),
    })),
    permutations: draft.permutations.map((one, n) => permutationOf(one, n, problems)),
    test_cases: draft.cases.map((one, n) => caseOf(one, n, problems)),
  };
  return { request, problems };
}

function permutationOf(one: PermutationDraft, n: number, problems: Problem[]): Fields {
  const settings: Fields = {};
  for (const name of SETTINGS) {
    if (one.settings[name].trim() === "") continue;
    settings[name] = numberIn(one.settings[name], ["permutations", n, "llm", name], problems);
  }
  const [provider, ...pipeline] = one.selector.split("/");
  return {
    name: one.name,
    llm: { provider: one.provider, model_name: one.model_name, ...settings },
    tool_selector: { provider, pipeline_name: pipeline.join("/"), plugin_group_name: one.group },
  };
}

function caseOf(one: CaseDraft, n: number, problems: Problem[]): Fields {
  const { name, type, prompt } = one;
  const found: Fields = { ...one.more, name, type, prompt };
  if (one.plugin.trim()) found.expected_plugin_used = one.plugin.trim();
  if (one.api.trim()) found.expected_api_used = one.api.trim();
  if (one.method) found.expected_method = one.method;
  if (one.parameters.trim()) {
    try {
      found.expected_parameters = JSON.parse(one.parameters);
    } catch {
      const msg = 'Write an object in JSON, such as {"q": "T shirt"}.';
      problems.push({ loc: ["test_cases", n, "expected_parameters"], msg });
    }
  }
  return found;
}

function numberIn(text: string, loc: Problem["loc"], problems: Problem[]): number {
  const number = Number(text);
  if (text.trim() === "" || Number.isNaN(number)) problems.push({ loc, msg: "A number is needed." });
  return number;
}

/** Returns the parts of a text, without white space and empty ones. */
function listOf(text: string, separator: string): string[] {
  return text
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/** Returns the draft of a request, however much of it is there; its keys are left out. */
export function fromRequest(value: unknown): Draft {
  const request = fieldsOf(value);
  const config = fieldsOf(request.config);
  return {
    name: textOf(request.name),
    version: textOf(request.version),
    plugin: textOf(fieldsOf(request.test_plugin).manifest_url),
    groups: itemsOf(request.plugin_groups, "plugin_group").map(groupFrom),
    permutations: itemsOf(request.permutations, "permutation").map(permutationFrom),
    cases: itemsOf(request.test_cases, "test_case").map(caseFrom),
    languages: arrayOf(config.auto_translate_to_languages).map(textOf).join(", "),
    source_language: textOf(config.source_language) || "English",
    concurrency: textOf(config.concurrency) || "16",
    parameter_match: (config.parameter_match as ParameterMatch | undefined) ?? "exact",
    allow_api_calls: config.allow_api_calls === true,
    cache: config.cache !== false,
  };
}

function groupFrom(group: Fields): GroupDraft {
  const urls = itemsOf(group.plugins, "plugin").map((plugin) => textOf(plugin.manifest_url));
  return { name: textOf(group.name), urls: urls.join("\n") };
}

function permutationFrom(one: Fields): PermutationDraft {
  const llm = fieldsOf(one.llm);
  const selector = fieldsOf(one.tool_selector);
  const settings = { ...NO_SETTINGS };
  for (const name of SETTINGS) settings[name] = textOf(llm[name]);
  return {
    name: textOf(one.name),
    provider: textOf(llm.provider),
    model_name: textOf(llm.model_name),
    selector: `${textOf(selector.provider)}/${textOf(selector.pipeline_name)}`,
    group: textOf(selector.plugin_group_name),
    settings,
  };
}

function caseFrom(one: Fields): CaseDraft {
  const { name, type, prompt, ...rest } = one;
  const { expected_plugin_used, expected_api_used, expected_method, expected_parameters, ...more } = rest;
  const parameters = expected_parameters ? JSON.stringify(expected_parameters) : "";
  return {
    name: textOf(name),
    type: type === "api_signature_selector" ? type : "plugin_selector",
    prompt: textOf(prompt),
    plugin: textOf(expected_plugin_used),
    api: textOf(expected_api_used),
    method: textOf(expected_method).toLowerCase(),
    parameters,
    more,
  };
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function arrayOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Returns the items of a list, each with or without its wrapper: `- test_case: {…}`. */
function itemsOf(value: unknown, wrapper: string): Fields[] {
  return arrayOf(value).map((item) => {
    const { [wrapper]: inner, ...rest } = fieldsOf(item);
    return typeof inner === "object" && inner !== null ? fieldsOf(inner) : rest;
  });
}

function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

interface Estimate {
  runs: number;
  cases: number;
  permutations: number;
  languages: number;
  translations: number;
}

/** Returns how large a job is: every case with every permutation in every language. */
export function estimate(request: unknown): Estimate {
  const draft = fieldsOf(request);
  const config = fieldsOf(draft.config);
  const listed = new Set(arrayOf(config.auto_translate_to_languages).map(textOf));
  const cases = itemsOf(draft.test_cases, "test_case");
  const permutations = arrayOf(draft.permutations).length;
  const languages = Math.max(1, listed.size);
  const foreign = [...listed].filter((one) => one !== (textOf(config.source_language) || "English"));
  const prompts = new Set(cases.map((one) => textOf(one.prompt)));
  const translations = prompts.size * foreign.length;
  return {
    runs: cases.length * permutations * languages,
    cases: cases.length,
    permutations,
    languages,
    translations,
  };
}
