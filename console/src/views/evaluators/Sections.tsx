import { Tabs } from "../../parts";
import { go, href } from "../../router";
import { KINDS } from "./kinds";

/** The parts of this view. */
export function Sections({ value }: { value: string }) {
  const tabs = [{ id: "results", label: "Results" }];
  for (const [kind, { plural }] of Object.entries(KINDS)) tabs.push({ id: kind, label: plural });
  const turn = (to: string): void => go(to === "results" ? href("evaluators") : href("evaluators", to));
  return <Tabs label="Evaluators" tabs={tabs} value={value} onChange={turn} />;
}
