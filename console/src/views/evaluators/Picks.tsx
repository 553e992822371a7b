import { Check, Failure } from "../../parts";
import { nameOf } from "./kinds";
import { useNumbered } from "./numbered";
import { API, type Kept, type Kind } from "./types";

interface Props {
  label: string;
  kind: Kind;
  chosen: number[];
  onChosen(ids: number[]): void;
}

/** Some of what is kept of a kind, each to be chosen or not; the newest 200. */
export function Picks({ label, kind, chosen, onChosen }: Props) {
  const { items, error, reload } = useNumbered<Kept>(`${API}/${kind}/`, 200);
  return (
    <fieldset class="evaluators-picks">
      <legend>{label}</legend>
      {error && <Failure error={error} retry={reload} />}
      {items.length === 0 && !error && <p class="evaluators-quiet">There are none.</p>}
      {items.map((one) => (
        <Check
          key={one.id}
          label={nameOf(kind, one)}
          checked={chosen.includes(one.id)}
          onChange={(isChosen) =>
            onChosen(isChosen ? [...chosen, one.id] : chosen.filter((id) => id !== one.id))
          }
        />
      ))}
    </fieldset>
  );
}
