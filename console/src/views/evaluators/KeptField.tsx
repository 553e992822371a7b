import { Choice, TextField } from "../../parts";
import { partsOf } from "./formed";
import { type FieldShape, nameOf } from "./kinds";
import { useNumbered } from "./numbered";
import { Picks } from "./Picks";
import { API, type Kept, type Kind } from "./types";

interface Props {
  field: FieldShape;
  kept: Kept | null;
  text: string;
  onText(text: string): void;
}

/** One field of something kept. */
export function KeptField({ field, kept, text, onText }: Props) {
  const common = {
    label: field.label,
    value: text,
    ...(field.hint === undefined ? {} : { hint: field.hint }),
  };
  switch (field.type) {
    case "long":
    case "json":
      return <TextField {...common} multiline rows={rowsOf(text)} onInput={onText} />;
    case "choice":
      return <Choice {...common} options={field.options ?? []} onChange={onText} />;
    case "secret": {
      const isThere = kept?.[`has_${field.name}`] === true;
      return (
        <TextField
          {...common}
          type="password"
          hint={isThere ? "There is one; empty keeps it." : (field.hint ?? "")}
          onInput={onText}
        />
      );
    }
    case "ref":
      return <Reference {...common} kind={field.of ?? "aiagents"} onText={onText} />;
    case "refs":
      return (
        <Picks
          label={field.label}
          kind={field.of ?? "metrics"}
          chosen={partsOf(text).map(Number)}
          onChosen={(ids) => onText(ids.join(", "))}
        />
      );
    default:
      return <TextField {...common} type={field.type === "number" ? "number" : "text"} onInput={onText} />;
  }
}

/** Returns how high a box is: a text that is short leaves room for more, a long one scrolls. */
function rowsOf(text: string): number {
  return Math.min(16, Math.max(3, text.split("\n").length));
}

interface ReferenceProps {
  label: string;
  value: string;
  kind: Kind;
  onText(text: string): void;
}

function Reference({ label, value, kind, onText }: ReferenceProps) {
  const { items } = useNumbered<Kept>(`${API}/${kind}/`, 200);
  const options = items.map((one) => ({ value: String(one.id), label: nameOf(kind, one) }));
  const isMissing = value !== "" && !options.some((option) => option.value === value);
  if (isMissing) options.unshift({ value, label: `number ${value}` });
  return (
    <Choice
      label={label}
      value={value}
      options={[{ value: "", label: "none" }, ...options]}
      onChange={onText}
    />
  );
}
