import { signal } from "@preact/signals";

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const UNITS = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
] as const;

const now = signal(Date.now());
setInterval(() => {
  now.value = Date.now();
}, 30_000);

/** Says how long ago something was (ISO time or epoch milliseconds); the full time is its title. */
export function When({ at }: { at: string | number | null | undefined }) {
  const time = at == null ? Number.NaN : new Date(at).getTime();
  if (Number.isNaN(time)) return <span>–</span>;
  return (
    <time dateTime={new Date(time).toISOString()} title={full.format(time)}>
      {ago((time - now.value) / 1000)}
    </time>
  );
}

function ago(seconds: number): string {
  for (const [unit, length] of UNITS) {
    if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit);
  }
  return "just now";
}
