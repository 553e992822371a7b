/** Filters on the metadata of documents, as rows; nested ones stay as they are and are shown as text. */

import { useState } from "preact/hooks";
import { Button, Choice } from "../../parts";

type Value = string | number | boolean | null | (string | number)[];

interface Row {
  key: string;
  operator: string;
  value: Value;
}

interface Group {
  filters: (Row | Group)[];
  condition?: "and" | "or" | null;
}

const OPERATORS = [
  { value: "==", label: "is" },
  { value: "!=", label: "is not" },
  { value: ">", label: "above" },
  { value: ">=", label: "at least" },
  { value: "<", label: "below" },
  { value: "<=", label: "at most" },
  { value: "in", label: "is one of" },
  { value: "nin", label: "is none of" },
  { value: "any", label: "has any of" },
  { value: "all", label: "has all of" },
  { value: "contains", label: "contains" },
  { value: "text_match", label: "has the text" },
  { value: "is_empty", label: "is empty" },
];
const LISTS = new Set(["in", "nin", "any", "all"]);

interface Props {
  value: Record<string, unknown> | null;
  onChange(value: Record<string, unknown> | null): void;
}

export function Filters({ value, onChange }: Props) {
  const group = (value as Group | null) ?? { filters: [] };
  const put = (filters: Group["filters"], condition = group.condition) =>
    onChange(filters.length > 0 ? { filters, condition: condition ?? "and" } : null);
  // A new filter counts once it has a value; removing one makes the rows after it anew.
  const [draft, setDraft] = useState<Row | null>(null);
  const [removed, setRemoved] = useState(0);
  const rows = draft ? [...group.filters, draft] : group.filters;

  function replace(index: number, row: Row): void {
    if (index < group.filters.length) {
      put(group.filters.map((one, n) => (n === index ? row : one)));
      return;
    }
    const whole = row.operator === "is_empty" || textOf(row.value) !== "";
    setDraft(whole ? null : row);
    if (whole) put([...group.filters, row]);
  }

  function remove(index: number): void {
    setRemoved(removed + 1);
    if (index < group.filters.length) put(group.filters.filter((_, n) => n !== index));
    else setDraft(null);
  }

  return (
    <fieldset class="playground-filters">
      <legend class="playground-filters-title">Only documents where</legend>
      {rows.map((filter, index) => (
        <div class="playground-filter" key={`${removed}-${index}`}>
          {"filters" in filter ? (
            <code>{JSON.stringify(filter)}</code>
          ) : (
            <FilterRow row={filter} number={index + 1} onChange={(row) => replace(index, row)} />
          )}
          <Button kind="plain" label={`Remove filter ${index + 1}`} onClick={() => remove(index)}>
            Remove
          </Button>
        </div>
      ))}
      {group.filters.length > 1 && (
        <Choice
          label="Documents pass that fit"
          value={group.condition ?? "and"}
          options={[
            { value: "and", label: "all of these" },
            { value: "or", label: "any of these" },
          ]}
          onChange={(condition) => put(group.filters, condition as "and" | "or")}
        />
      )}
      <Button
        kind="plain"
        disabled={draft !== null}
        onClick={() => setDraft({ key: "title", operator: "contains", value: "" })}
      >
        Add a filter
      </Button>
    </fieldset>
  );
}

function FilterRow({ row, number, onChange }: { row: Row; number: number; onChange(row: Row): void }) {
  const set = (change: Partial<Row>) => onChange({ ...row, ...change });
  return (
    <>
      <input
        aria-label={`Key of filter ${number}`}
        defaultValue={row.key}
        maxLength={500}
        onInput={(event) => event.currentTarget.value && set({ key: event.currentTarget.value })}
      />
      <select
        aria-label={`Operator of filter ${number}`}
        value={row.operator}
        onChange={(event) => {
          const operator = event.currentTarget.value;
          set({ operator, value: valueIn(textOf(row.value), operator) });
        }}
      >
        {OPERATORS.map(({ value, label }) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      {row.operator !== "is_empty" && (
        <input
          aria-label={`Value of filter ${number}`}
          placeholder={LISTS.has(row.operator) ? "2023, 2024" : ""}
          defaultValue={textOf(row.value)}
          onInput={(event) => set({ value: valueIn(event.currentTarget.value, row.operator) })}
        />
      )}
    </>
  );
}

function textOf(value: Value): string {
  return Array.isArray(value) ? value.join(", ") : value === null ? "" : String(value);
}

/** What is typed as a number is one, and so are true and false; lists are separated by commas. */
function valueIn(text: string, operator: string): Value {
  if (operator === "is_empty") return null;
  if (LISTS.has(operator)) {
    return text
      .split(",")
      .map((part) => part.trim())
      .filter(Boolean)
      .map((part) => scalarOf(part) as string | number);
  }
  return operator === "contains" || operator === "text_match" ? text : scalarOf(text.trim());
}

function scalarOf(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  return text !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}
