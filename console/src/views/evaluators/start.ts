import { newId } from "../../ids";
import { personal } from "../../personal";
import { send } from "../../rest";
import { go, href } from "../../router";
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

const keys = personal<string>(); // by request: an answer that was lost does not start it twice

/** Starts a result and goes to it; rejects when the server refuses. */
export async function start(request: StartRequest): Promise<void> {
  const said = JSON.stringify(request);
  const key = keys.get(said) ?? newId();
  keys.set(said, key);
  const address = `${API}/scenarios/run_scenarios_text/`;
  const begun = await send<ResultView>("POST", address, request, { "Idempotency-Key": key });
  keys.delete(said);
  go(href("evaluators", "results", String(begun.id)));
}
