import { type Placed, placed } from "../../documents/read";
import { newId } from "../../ids";
import { RestError, send } from "../../rest";
import { go, href } from "../../router";
import { refusalsOf } from "./refusals";
import { API, type ResultView } from "./types";

export interface StartRequest {
  agent_id?: number;
  scenarios?: number[] | "all";
  tags?: string[];
  freq?: number;
  name?: string;
  concurrency_limit?: number;
  websocket_url?: string;
  websocket_headers?: Record<string, string>;
  personality_ids?: number[];
  test_profile_ids?: number[];
}

const keys = new Map<string, string>(); // by request: an answer that was lost does not start it twice

/** Starts a result and goes to it; returns what the server has against it. */
export async function start(request: StartRequest): Promise<Placed[]> {
  const said = JSON.stringify(request);
  const key = keys.get(said) ?? newId();
  keys.set(said, key);
  try {
    const address = `${API}/scenarios/run_scenarios_text/`;
    const begun = await send<ResultView>("POST", address, request, { "Idempotency-Key": key });
    keys.delete(said);
    go(href("evaluators", "results", String(begun.id)));
    return [];
  } catch (error) {
    const found = error instanceof RestError ? refusalsOf(error) : [];
    if (found.length === 0) throw error;
    return placed(found, null);
  }
}
