// Beginning a test, and letting it go.

import { call } from "../../socket";
import type { Invocation } from "./types";

/** Starts a test of a benchmark, replays all its runs, and returns its id. */
export async function startTest(benchmarkId: string, infinite: boolean): Promise<string> {
  const ack = await call("test_start", { benchmark_id: benchmarkId, infinite_mode: infinite });
  const invocations = ack.invocations as { invocation_id: string }[];
  const testId = String(ack.test_id);
  for (const { invocation_id } of invocations) await group(testId, invocation_id);
  return testId;
}

export async function group(testId: string, invocationId: string): Promise<void> {
  await call("test_group", { test_id: testId, test_invocation_id: invocationId });
}

export async function stopAll(invocations: readonly Invocation[]): Promise<void> {
  for (const { id } of invocations) await call("test_stop", { invocation_id: id });
}

export async function endAll(testId: string): Promise<void> {
  await call("test_end_all", { test_id: testId });
}
