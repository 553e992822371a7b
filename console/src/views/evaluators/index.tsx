import { Empty, Page } from "../../parts";
import { href, route } from "../../router";
import "./style.css";
import { KeptForm } from "./KeptForm";
import { KeptList } from "./KeptList";
import { KINDS } from "./kinds";
import { NewRun } from "./NewRun";
import { ResultPage } from "./ResultPage";
import { Results } from "./Results";
import type { Kind } from "./types";

const NUMBER = /^\d{1,15}$/;

/**
 * Evaluators: results (#/evaluators), one of them (…/results/<id>), one of its runs (…/results/<id>/<run>),
 * a new one (…/new), and what authors keep (…/<kind>, …/<kind>/<id>, …/<kind>/new).
 */
export default function Evaluators() {
  const [section, id, run] = route.value.path;
  if (section === "new") return <NewRun />;
  if (section !== undefined && Object.hasOwn(KINDS, section)) {
    const kind = section as Kind;
    return id === undefined ? (
      <KeptList key={kind} kind={kind} />
    ) : (
      <KeptForm key={`${kind}/${id}`} kind={kind} id={id} />
    );
  }
  if (section !== "results" || id === undefined) return <Results />;
  if (![id, run ?? "0"].every((number) => NUMBER.test(number))) return <Nowhere />;
  return <ResultPage key={id} resultId={Number(id)} runId={run === undefined ? null : Number(run)} />;
}

function Nowhere() {
  return (
    <Page title="Evaluators" crumbs={[{ label: "Evaluators", to: href("evaluators") }]}>
      <Empty title="There is no such result">Choose one from the list.</Empty>
    </Page>
  );
}
