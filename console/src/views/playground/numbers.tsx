/** A number that is typed: what is no number of its range is said, and not saved. */

import { useEffect, useState } from "preact/hooks";
import { Field } from "../../parts";

interface Props {
  label: string;
  hint?: string;
  value: number | null;
  min: number;
  max: number;
  step: number;
  onChange(value: number): void;
}

export function NumberField({ label, hint, value, min, max, step, onChange }: Props) {
  const [text, setText] = useState(said(value));
  useEffect(() => {
    if (Number(text) !== value) setText(said(value));
  }, [value]);
  const wrong = problem(text, { min, max, whole: step === 1 });

  function onInput(event: Event): void {
    const now = (event.currentTarget as HTMLInputElement).value;
    setText(now);
    if (!problem(now, { min, max, whole: step === 1 })) onChange(Number(now));
  }

  return (
    <Field label={label} hint={hint} error={wrong ?? undefined}>
      {(id) => (
        <input
          id={id}
          type="number"
          inputMode="decimal"
          min={min}
          max={max}
          step={step}
          value={text}
          onInput={onInput}
          aria-invalid={wrong !== null || undefined}
        />
      )}
    </Field>
  );
}

function said(value: number | null): string {
  return value === null ? "" : String(value);
}

function problem(text: string, range: { min: number; max: number; whole: boolean }): string | null {
  const value = Number(text);
  const fits = value >= range.min && value <= range.max && (!range.whole || Number.isInteger(value));
  if (text.trim() !== "" && fits) return null;
  return `A ${range.whole ? "whole " : ""}number from ${range.min} to ${range.max}`;
}
