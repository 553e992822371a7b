import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { toast } from "./toast";

export interface ButtonProps {
  onClick?: ((event: MouseEvent) => unknown) | undefined;
  kind?: "primary" | "plain" | "danger" | undefined;
  busy?: boolean | undefined;
  disabled?: boolean | undefined;
  type?: "button" | "submit" | undefined;
  title?: string | undefined;
  label?: string | undefined; // for screen readers, when the content is a sign
  children?: ComponentChildren;
}

/** A button that works once at a time: while what it started runs, further clicks do nothing. */
export function Button({
  onClick,
  kind = "plain",
  busy = false,
  disabled = false,
  type = "button",
  ...rest
}: ButtonProps) {
  const [running, setRunning] = useState(false);
  const working = useRef(false);
  const mounted = useRef(true);
  useEffect(
    () => () => {
      mounted.current = false;
    },
    [],
  );

  async function clicked(event: MouseEvent): Promise<void> {
    if (busy || working.current) return event.preventDefault();
    const begun = attempt(() => onClick?.(event));
    if (!(begun instanceof Promise)) return;
    working.current = true;
    setRunning(true);
    await begun.catch(tell);
    working.current = false;
    if (mounted.current) setRunning(false);
  }
  const waiting = busy || running;
  return (
    <button
      type={type}
      class={`button ${kind}`}
      disabled={disabled}
      aria-busy={waiting}
      aria-disabled={waiting || disabled}
      title={rest.title}
      aria-label={rest.label}
      onClick={clicked}
    >
      {rest.children}
    </button>
  );
}

function attempt(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    tell(error);
    return null;
  }
}

function tell(error: unknown): void {
  toast(error instanceof Error ? error.message : String(error), "bad");
}
