import type { Tone } from "./Badge";
import { number } from "./format";

/** Shows how much of `max` there is. */
export function Meter({
  label,
  value,
  max = 1,
  tone = "info",
}: {
  label: string;
  value: number;
  max?: number;
  tone?: Tone;
}) {
  const share = max > 0 ? Math.min(1, Math.max(0, value / max)) : 0;
  return (
    <div
      class={`meter ${tone}`}
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={max}
      aria-valuenow={Math.min(max, Math.max(0, value))}
      aria-valuetext={`${number(value)} of ${number(max)}`}
    >
      <div class="meter-bar" style={{ width: `${share * 100}%` }} />
    </div>
  );
}
