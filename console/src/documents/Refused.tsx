import type { ComponentChildren } from "preact";
import { Failure } from "../parts";
import { RestError } from "../rest";
import { type Placed, type Problem, placed, Unreadable } from "./read";
import "./style.css";

/** Why something is not taken: what is wrong with it by place, or an error that is of no place. */
export interface Refusal {
  problems: Placed[];
  error: Error | null;
}

export const NOT_REFUSED: Refusal = { problems: [], error: null };

interface Sought {
  problemsOf(error: Error): Problem[];
  text?: string | null; // that the places are in
  wrappers?: readonly string[];
}

/** Returns what an error has against something; throws it again when it is none of the server's or the reader's. */
export async function refusalOf(error: unknown, sought: Sought): Promise<Refusal> {
  if (error instanceof Unreadable) {
    return { problems: [{ where: "the file", line: error.line, msg: error.message }], error: null };
  }
  const found = error instanceof Error ? sought.problemsOf(error) : [];
  if (found.length > 0)
    return { problems: await placed(found, sought.text ?? null, sought.wrappers), error: null };
  if (error instanceof RestError) return { problems: [], error };
  throw error;
}

const MOST = 100; // problems that are shown

/** Says why something is not taken; nothing when it is. */
export function Refused({ title, refusal }: { title: string; refusal: Refusal }): ComponentChildren {
  const { problems, error } = refusal;
  if (error) return <Failure error={error} />;
  if (problems.length === 0) return null;
  return (
    <section class="documents-problems" role="alert">
      <h2>{title}</h2>
      <ul>
        {problems.slice(0, MOST).map((one) => (
          <li key={`${one.where} ${one.msg}`}>
            {one.line !== null && <strong>Line {one.line}: </strong>}
            {one.where && <code>{one.where}</code>} {one.msg}
          </li>
        ))}
      </ul>
      {problems.length > MOST && <p>And {problems.length - MOST} more.</p>}
    </section>
  );
}
