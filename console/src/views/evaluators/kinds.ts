// What authors keep: the fields of each kind, as forms show them.

import type { Kept, Kind } from "./types";

type FieldType =
  | "text"
  | "long"
  | "number"
  | "check"
  | "choice"
  | "json"
  | "secret"
  | "ref"
  | "refs"
  | "list";

export interface FieldShape {
  name: string;
  label: string;
  type: FieldType;
  hint?: string;
  options?: { value: string; label: string }[];
  of?: Kind; // what a reference names
  initial?: string;
}

interface Shape {
  singular: string;
  plural: string;
  about: string;
  nameField: string;
  fields: FieldShape[];
}

const NAME: FieldShape = { name: "name", label: "Name", type: "text" };

function choices(...values: string[]) {
  return values.map((value) => ({ value, label: value.replaceAll("_", " ") }));
}

export const KINDS: Record<Kind, Shape> = {
  aiagents: {
    singular: "agent",
    plural: "Agents",
    about: "Somebody's agent, and where it is called.",
    nameField: "agent_name",
    fields: [
      { name: "agent_name", label: "Name", type: "text" },
      { name: "websocket_url", label: "WebSocket address", type: "text", hint: "ws:// or wss://" },
      { name: "description", label: "Description", type: "long" },
      {
        name: "agent_gives_first_message",
        label: "Who begins",
        type: "choice",
        options: [
          { value: "", label: "who speaks within 3 s" },
          { value: "true", label: "the agent" },
          { value: "false", label: "the caller" },
        ],
      },
      {
        name: "assistant_id",
        label: "Assistant id",
        type: "text",
        hint: "10 characters or more; may be empty.",
      },
      {
        name: "websocket_headers",
        label: "Headers",
        type: "json",
        hint: 'Such as {"X-Shop": "1"}.',
        initial: "{}",
      },
      { name: "websocket_secret", label: "Secret", type: "secret", hint: "Sent as X-VOCERA-SECRET." },
      {
        name: "webhook_url",
        label: "Webhook",
        type: "text",
        hint: "Told of the end of each result; may be empty.",
      },
      { name: "webhook_secret", label: "Webhook secret", type: "secret" },
    ],
  },
  scenarios: {
    singular: "scenario",
    plural: "Scenarios",
    about: "A caller's part in a conversation with an agent, and what should come of it.",
    nameField: "name",
    fields: [
      NAME,
      { name: "agent", label: "Agent", type: "ref", of: "aiagents" },
      {
        name: "scenario_type",
        label: "Who plays the caller",
        type: "choice",
        options: [
          { value: "instruction", label: "a model, by instructions" },
          { value: "conditional_actions", label: "rules" },
        ],
        initial: "instruction",
      },
      { name: "instructions", label: "Instructions", type: "long" },
      { name: "first_message", label: "First message", type: "text", initial: "Hello" },
      {
        name: "conditional_actions",
        label: "Rules",
        type: "json",
        hint: 'For a caller by rules: {"role": "…", "conditions": […]}.',
      },
      {
        name: "expected_outcome_prompt",
        label: "Expected outcome",
        type: "long",
        hint: "Judged by a model.",
      },
      { name: "pass_score", label: "Score to pass", type: "number", initial: "100" },
      { name: "metrics", label: "Metrics", type: "refs", of: "metrics" },
      { name: "personality", label: "Personality", type: "ref", of: "personalities" },
      { name: "test_profile", label: "Test profile", type: "ref", of: "test-profiles" },
      { name: "tags", label: "Tags", type: "list", hint: "Separated by commas." },
      { name: "max_duration", label: "Longest duration (s)", type: "number", initial: "600" },
      { name: "scenario_language", label: "Language", type: "text", initial: "en" },
    ],
  },
  personalities: {
    singular: "personality",
    plural: "Personalities",
    about: "How a caller is.",
    nameField: "name",
    fields: [
      NAME,
      { name: "prompt", label: "Prompt", type: "long" },
      { name: "language", label: "Language", type: "text", initial: "en" },
    ],
  },
  "test-profiles": {
    singular: "test profile",
    plural: "Test profiles",
    about: "Whom a caller plays; {{test_profile.name}} in texts stands for its values.",
    nameField: "name",
    fields: [
      NAME,
      {
        name: "information",
        label: "Information",
        type: "json",
        hint: '{"main_agent_variables": {…}, "testing_agent_variables": {…}}',
        initial: '{"main_agent_variables": {}, "testing_agent_variables": {}}',
      },
    ],
  },
  metrics: {
    singular: "metric",
    plural: "Metrics",
    about: "One thing that is looked at in a run; without a rule it informs only.",
    nameField: "name",
    fields: [
      { ...NAME, hint: "Of a built-in metric its name, such as latency_p95." },
      { name: "description", label: "Description", type: "long" },
      {
        name: "type",
        label: "How it is found",
        type: "choice",
        options: [
          { value: "llm_judge", label: "a model judges" },
          { value: "custom_code", label: "an expression (CEL)" },
          { value: "built_in", label: "built in" },
        ],
        initial: "llm_judge",
      },
      {
        name: "eval_type",
        label: "Values",
        type: "choice",
        options: choices("binary", "continuous_qualitative", "numeric", "enum"),
        initial: "binary",
      },
      { name: "prompt", label: "Prompt", type: "long", hint: "For a model." },
      { name: "code", label: "Expression", type: "long", hint: "Over data, such as size(data.tools) == 1." },
      { name: "options", label: "Options", type: "list", hint: "Of an enum, separated by commas." },
      {
        name: "pass",
        label: "Rule to pass",
        type: "json",
        hint: 'Such as {"operator": ">=", "value": 4}; may be empty.',
      },
    ],
  },
};

/** Returns what something kept is called. */
export function nameOf(kind: Kind, kept: Kept): string {
  return String(kept[KINDS[kind].nameField] ?? `${KINDS[kind].singular} ${kept.id}`);
}
