/** Begins an attempt of what is authored here. */

import { Button } from "../../parts";
import { goFrom, href } from "../../router";
import { call } from "../../socket";

interface Props {
  of: "practice" | "home";
  /** The practice or home; one that is yet to be made is made on the click. */
  id(): Promise<string>;
  label?: string;
  children: string;
}

export function Practise({ of, id, label, children }: Props) {
  async function begin(): Promise<void> {
    const then = goFrom();
    const found = await id();
    const what = of === "home" ? { home_id: found } : { practice_id: found };
    const ack = await call<"attempt_start", { attempt_id: string }>("attempt_start", what);
    then(href("practise", "attempt", ack.attempt_id));
  }

  return (
    <Button kind="primary" label={label} onClick={begin}>
      {children}
    </Button>
  );
}
