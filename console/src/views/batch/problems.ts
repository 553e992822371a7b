import type { Loc, Problem } from "../../documents/read";
import { RestError } from "../../rest";

/** Returns every problem that a refusal lists; none when it lists none. */
export function problemsOf(error: Error): Problem[] {
  if (!(error instanceof RestError) || !Array.isArray(error.details)) return [];
  return error.details.flatMap((one: unknown) => {
    if (typeof one !== "object" || one === null || !("msg" in one)) return [];
    const loc = "loc" in one && Array.isArray(one.loc) ? (one.loc as Loc) : [];
    return [{ loc, msg: String(one.msg) }];
  });
}
