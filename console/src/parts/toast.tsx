import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { whenPersonChanges } from "../personal";
import type { Tone } from "./Badge";

interface Toast {
  id: number;
  text: string;
  tone: Tone;
}

const SHOWN_MS = 8000;
const toasts = signal<Toast[]>([]);
let last = 0;
whenPersonChanges(() => {
  toasts.value = [];
});

/** Tells something in the corner for a while; screen readers say it. */
export function toast(text: string, tone: Tone = "info"): void {
  const id = ++last;
  const others = toasts.value.filter((shown) => shown.text !== text); // a repeated failure is told once
  toasts.value = [...others.slice(-3), { id, text, tone }];
  setTimeout(() => close(id), SHOWN_MS);
}

function close(id: number): void {
  toasts.value = toasts.value.filter((shown) => shown.id !== id);
}

export function Toasts() {
  const place = useRef<HTMLElement>(null);
  const shown = toasts.value;
  useEffect(() => {
    place.current?.hidePopover?.();
    if (shown.length > 0) place.current?.showPopover?.(); // above a dialog that is open
  }, [shown]);
  return (
    <section ref={place} popover="manual" class="toasts" aria-live="polite" aria-label="Notices">
      {shown.map(({ id, text, tone }) => (
        <div key={id} class={`toast ${tone}`}>
          <span>{text}</span>
          <button type="button" class="toast-close" aria-label="Close this notice" onClick={() => close(id)}>
            ×
          </button>
        </div>
      ))}
    </section>
  );
}
