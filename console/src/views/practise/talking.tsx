/** Talking instead of typing: a button, and what it opens when it is first pressed. */

import type { ComponentType } from "preact";
import { useState } from "preact/hooks";
import { Button, toast } from "../../parts";

type Voice = ComponentType<{ chatId: string; onOff: (why: string | null) => void }>;

export function TalkButton({ chatId }: { chatId: string }) {
  const [Shown, show] = useState<Voice | null>(null);
  if (!Shown)
    return (
      <Button
        onClick={async () => {
          const { default: voice } = await import("../../voice");
          show(() => voice);
        }}
      >
        Talk
      </Button>
    );
  return (
    <Shown
      chatId={chatId}
      onOff={(why) => {
        show(null);
        if (why) toast(why, "bad");
      }}
    />
  );
}
