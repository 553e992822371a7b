// A file of scenarios, as the command `evaluate` reads it: what it describes is stored, scenarios name the rest.

import type { Loc, Problem } from "../../documents/read";
import { staying } from "../../personal";
import { RestError, send } from "../../rest";
import { problemsOf } from "./problems";
import { API, type Kept, type Kind } from "./types";

type Fields = Record<string, unknown>;

interface Part {
  kind: Kind;
  loc: Loc;
  body: Fields;
}

const SECTIONS: Record<string, Kind> = {
  metrics: "metrics",
  personalities: "personalities",
  test_profiles: "test-profiles",
};
const REFERENCES: [field: string, section: string][] = [
  ["personality", "personalities"],
  ["test_profile", "test_profiles"],
  ["metrics", "metrics"],
];

interface Evaluation {
  agent: Fields;
  named: Part[];
  scenarios: Part[];
}

/** Returns the parts of a file, and what is wrong with it before the server has seen it. */
export function readEvaluation(file: Fields): { evaluation: Evaluation; problems: Problem[] } {
  const problems: Problem[] = [];
  const known = new Set(["agent", "scenarios", ...Object.keys(SECTIONS)]);
  for (const name of Object.keys(file)) {
    if (!known.has(name)) problems.push({ loc: [name], msg: `${name} is no part of a file of scenarios.` });
  }
  const named = Object.entries(SECTIONS).flatMap(([section, kind]) => partsOf(file, section, kind, problems));
  const scenarios = partsOf(file, "scenarios", "scenarios", problems);
  if (scenarios.length === 0) problems.push({ loc: ["scenarios"], msg: "At least one scenario is needed." });
  const names = new Set(named.map((part) => `${part.kind} ${String(part.body.name)}`));
  for (const part of scenarios) problems.push(...unnamed(part, names));
  return { evaluation: { agent: fieldsOf(file.agent), named, scenarios }, problems };
}

function partsOf(file: Fields, section: string, kind: Kind, problems: Problem[]): Part[] {
  const listed = file[section] ?? [];
  if (!Array.isArray(listed)) {
    problems.push({ loc: [section], msg: "A list is needed." });
    return [];
  }
  const seen = new Set<unknown>();
  return listed.map((item: unknown, n) => {
    const body = fieldsOf(item);
    const name = body.name;
    if (typeof name !== "string" || name === "")
      problems.push({ loc: [section, n], msg: "A name is needed." });
    else if (seen.has(name))
      problems.push({ loc: [section, n, "name"], msg: `“${name}” stands there twice.` });
    seen.add(name);
    return { kind, loc: [section, n], body };
  });
}

/** Yields the names in a scenario that nothing in the file has. */
function* unnamed(part: Part, names: Set<string>): Generator<Problem> {
  for (const [field, section] of REFERENCES) {
    const given = part.body[field];
    for (const name of Array.isArray(given) ? given : [given]) {
      if (typeof name === "string" && !names.has(`${SECTIONS[section]} ${name}`)) {
        yield { loc: [...part.loc, field], msg: `${section} has no “${name}”.` };
      }
    }
  }
}

export interface Made {
  scenarios: number[];
  /** Removes all that was stored. */
  undo(): Promise<void>;
}

/** What a file describes could not be stored; nothing of it was left behind. */
export class NotMade extends Error {
  constructor(readonly problems: Problem[]) {
    super("What the file describes was refused.");
    this.name = "NotMade";
  }
}

/** Stores what a file describes, for an agent that is there or the file's own; rejects with NotMade. */
export async function make(evaluation: Evaluation, agent: { id: number } | { url: string }): Promise<Made> {
  const maker = new Maker();
  try {
    return await maker.make(evaluation, agent);
  } catch (error) {
    await maker.remove();
    throw error;
  }
}

class Maker {
  private readonly ids = new Map<string, number>();
  private readonly addresses: string[] = [];
  private readonly problems: Problem[] = [];
  private readonly stay = staying();

  async make(evaluation: Evaluation, agent: { id: number } | { url: string }): Promise<Made> {
    const id = "id" in agent ? agent.id : await this.agentOf(evaluation.agent, agent.url);
    for (const part of evaluation.named) {
      const number = await this.one(part);
      if (number !== null) this.ids.set(`${part.kind} ${String(part.body.name)}`, number);
    }
    const scenarios: number[] = [];
    if (this.problems.length === 0) {
      for (const part of evaluation.scenarios) {
        const number = await this.one({ ...part, body: this.linked({ ...part.body, agent: id }) });
        if (number !== null) scenarios.push(number);
      }
    }
    if (this.problems.length > 0 || id === null) throw new NotMade(this.problems);
    return { scenarios, undo: () => this.remove() };
  }

  /** Removes what was stored, the newest first. */
  async remove(): Promise<void> {
    for (const address of this.addresses.reverse()) {
      this.stay();
      await send("DELETE", address).catch((error: unknown) => {
        if (!(error instanceof RestError)) throw error; // what cannot be removed stays in the lists
      });
    }
  }

  private agentOf(fields: Fields, url: string): Promise<number | null> {
    const named = { agent_name: "Agent of a file", ...fields };
    return this.one({
      kind: "aiagents",
      loc: ["agent"],
      body: url ? { ...named, websocket_url: url } : named,
    });
  }

  /** Returns a scenario with the ids of what it names. */
  private linked(body: Fields): Fields {
    for (const [field, section] of REFERENCES) {
      const id = (one: unknown) =>
        typeof one === "string" ? this.ids.get(`${SECTIONS[section]} ${one}`) : one;
      const given = body[field];
      if (given !== undefined) body[field] = Array.isArray(given) ? given.map(id) : id(given);
    }
    return body;
  }

  private async one(part: Part): Promise<number | null> {
    this.stay();
    try {
      const kept = await send<Kept>("POST", `${API}/${part.kind}/`, part.body);
      this.addresses.push(`${API}/${part.kind}/${kept.id}/`);
      return kept.id;
    } catch (error) {
      const found = error instanceof Error ? problemsOf(error) : [];
      if (found.length === 0) throw error;
      this.problems.push(...found.map(({ loc, msg }) => ({ loc: [...part.loc, ...loc], msg })));
      return null;
    }
  }
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}
