/** Talking instead of typing: a button, and what it opens when it is first pressed. */

import type { ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Button, toast } from "../../parts";

type Voice = ComponentType<{ chatId: string; onOff: (why: string | null) => void }>;

export function TalkButton({ chatId }: { chatId: string }) {
  const [Shown, show] = useState<Voice | null>(null);
  const place = useRef<HTMLDivElement>(null);
  const pressed = useRef(false);
  useEffect(() => {
    // what was pressed is gone, and with it the focus
    if (pressed.current && document.activeElement === document.body)
      place.current?.querySelector<HTMLElement>("button:not([disabled])")?.focus();
  }, [Shown]);
  return (
    <div ref={place}>
      {Shown ? (
        <Shown
          chatId={chatId}
          onOff={(why) => {
            show(null);
            if (why) toast(why, "bad");
          }}
        />
      ) : (
        <Button
          onClick={async () => {
            pressed.current = true;
            const { default: voice } = await import("../../voice");
            show(() => voice);
          }}
        >
          Talk
        </Button>
      )}
    </div>
  );
}
