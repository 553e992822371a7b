import type { ComponentChildren } from "preact";
import { Button } from "./Button";

/** Says what went wrong, under which code, and offers to try again. */
export function Failure({ error, retry }: { error: unknown; retry?: (() => unknown) | undefined }) {
  const { message, code } = said(error);
  return (
    <div class="failure" role="alert">
      <p>
        {message} {code && <code>{code}</code>}
      </p>
      {retry && <Button onClick={retry}>Try again</Button>}
    </div>
  );
}

function said(error: unknown): { message: string; code: string | null } {
  if (!(error instanceof Error)) return { message: String(error), code: null };
  const code = "code" in error && typeof error.code === "string" ? error.code : null;
  return { message: error.message || "Something went wrong.", code };
}

/** Says that there is nothing here, and what to do about it. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children && <div class="empty-text">{children}</div>}
    </div>
  );
}

export function Busy({ label }: { label: string }) {
  return (
    <p class="busy" role="status">
      <span class="busy-sign" aria-hidden="true" /> {label}
    </p>
  );
}
