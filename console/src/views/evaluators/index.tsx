import { route } from "../../router";
import "./style.css";
import { KeptForm } from "./KeptForm";
import { KeptList } from "./KeptList";
import { KINDS } from "./kinds";
import { NewRun } from "./NewRun";
import { ResultPage } from "./ResultPage";
import { Results } from "./Results";
import type { Kind } from "./types";

/**
 * Evaluators: results (#/evaluators), one of them (…/results/<id>), one of its runs (…/results/<id>/<run>),
 * a new one (…/new), and what authors keep (…/<kind>, …/<kind>/<id>, …/<kind>/new).
 */
export default function Evaluators() {
  const [section, id, run] = route.value.path;
  if (section === "new") return <NewRun />;
  if (section !== undefined && section in KINDS) {
    const kind = section as Kind;
    return id === undefined ? (
      <KeptList key={kind} kind={kind} />
    ) : (
      <KeptForm key={`${kind}/${id}`} kind={kind} id={id} />
    );
  }
  if (section !== "results" || id === undefined) return <Results />;
  return <ResultPage key={id} resultId={Number(id)} runId={run === undefined ? null : Number(run)} />;
}
