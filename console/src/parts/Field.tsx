import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

export interface FieldProps {
  label: string;
  hint?: ComponentChildren;
  error?: string | null | undefined;
}

/** A label, a control that gets its id, and what is to be said about it (its id is the control's plus "-note"). */
export function Field({
  label,
  hint,
  error,
  children,
}: FieldProps & { children: (id: string) => ComponentChildren }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(id)}
      <Note id={id} hint={hint} error={error} />
    </div>
  );
}

export interface TextFieldProps extends FieldProps {
  value: string;
  onInput: (value: string) => void;
  multiline?: boolean | undefined;
  type?: string | undefined;
  required?: boolean | undefined;
  disabled?: boolean | undefined;
  placeholder?: string | undefined;
  autocomplete?: string | undefined;
  rows?: number | undefined;
}

export function TextField({
  label,
  hint,
  error,
  value,
  onInput,
  multiline,
  type = "text",
  rows = 4,
  ...rest
}: TextFieldProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(id) => {
        const shared = {
          id,
          value,
          "aria-invalid": error ? true : undefined,
          "aria-describedby": hint || error ? `${id}-note` : undefined,
          ...rest,
        };
        return multiline ? (
          <textarea {...shared} rows={rows} onInput={(event) => onInput(event.currentTarget.value)} />
        ) : (
          <input {...shared} type={type} onInput={(event) => onInput(event.currentTarget.value)} />
        );
      }}
    </Field>
  );
}

export interface ChoiceProps<V extends string> extends FieldProps {
  value: V;
  options: readonly { value: V; label: string }[];
  onChange: (value: V) => void;
  disabled?: boolean | undefined;
}

export function Choice<V extends string>({
  label,
  hint,
  error,
  value,
  options,
  onChange,
  disabled,
}: ChoiceProps<V>) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(id) => (
        <select
          id={id}
          value={value}
          disabled={disabled}
          aria-describedby={hint || error ? `${id}-note` : undefined}
          onChange={(event) => onChange(event.currentTarget.value as V)}
        >
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

export interface CheckProps extends FieldProps {
  checked: boolean;
  onChange: (checked: boolean) => void;
  disabled?: boolean | undefined;
}

export function Check({ label, hint, error, checked, onChange, disabled }: CheckProps) {
  const id = useId();
  return (
    <div class="check">
      <input
        id={id}
        type="checkbox"
        checked={checked}
        disabled={disabled}
        aria-describedby={hint || error ? `${id}-note` : undefined}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <label for={id}>{label}</label>
      <Note id={id} hint={hint} error={error} />
    </div>
  );
}

function Note({
  id,
  hint,
  error,
}: {
  id: string;
  hint?: ComponentChildren;
  error?: string | null | undefined;
}) {
  if (!hint && !error) return null;
  return (
    <div class={error ? "note bad" : "note"} id={`${id}-note`} role={error ? "alert" : undefined}>
      {error || hint}
    </div>
  );
}
