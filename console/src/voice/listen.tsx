/** A button that lets one hear what is said in a room now; what plays it comes when it is first pressed. */

import type { ComponentType } from "preact";
import { useState } from "preact/hooks";
import { Button } from "../parts";

export interface Heard {
  room: string;
  /** The call that is meant, in a room of several. */
  runId?: number;
  /** Who speaks: learner and persona, or caller and agent. */
  names: [string, string];
}
type Shown = ComponentType<Heard & { onStop: () => void }>;

export function Listen(heard: Heard) {
  const [Shown, show] = useState<Shown | null>(null);
  if (Shown) return <Shown {...heard} onStop={() => show(null)} />;
  return (
    <Button
      onClick={async () => {
        const { default: listening } = await import("./listening");
        show(() => listening);
      }}
    >
      Listen
    </Button>
  );
}
