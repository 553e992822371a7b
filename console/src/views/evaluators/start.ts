import { done, nameOnce } from "../../once";
import { send } from "../../rest";
import { goFrom, href } from "../../router";
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

/** Starts a result and goes to it; rejects when the server refuses. */
export async function start(request: StartRequest): Promise<void> {
  const said = JSON.stringify(request);
  const then = goFrom();
  const address = `${API}/scenarios/run_scenarios_text/`;
  const begun = await send<ResultView>("POST", address, request, { "Idempotency-Key": nameOnce(said) });
  done(said);
  then(href("evaluators", "results", String(begun.id)));
}
