import { may } from "../../identity";
import { done, nameOnce } from "../../once";
import { Button, confirm, toast } from "../../parts";
import { send } from "../../rest";
import { go, goFrom, href } from "../../router";
import type { ResultLive } from "./live";
import { API, type ResultView } from "./types";

/** What an author does with a result: end its calls, run it again, judge it anew, remove it. */
export function Actions({ result, live }: { result: ResultView; live: ResultLive }) {
  if (!may("author")) return null;
  const at = `${API}/results/${result.id}`;
  const stop = async (): Promise<void> => {
    if (!(await confirm("End all calls?", "What was said so far is judged.", "End the calls"))) return;
    await send("POST", `${at}/end_calls/`);
    await live.refresh();
  };
  const again = async (): Promise<void> => {
    const then = goFrom();
    const begun = await send<ResultView>("POST", `${at}/rerun/`, {}, { "Idempotency-Key": nameOnce(at) });
    done(at);
    then(href("evaluators", "results", String(begun.id)));
  };
  const judge = async (): Promise<void> => {
    await send("POST", `${at}/evaluate_metrics/`, {});
    await live.refresh();
    toast("The runs are judged anew.");
  };
  const remove = async (): Promise<void> => {
    if (!(await confirm("Remove this result?", "Its runs and what was said in them go with it.", "Remove")))
      return;
    await send("DELETE", `${at}/`);
    go(href("evaluators"));
  };
  if (result.ended_at === null) {
    return (
      <Button kind="danger" onClick={stop}>
        End all calls
      </Button>
    );
  }
  return (
    <>
      <Button kind="primary" onClick={again}>
        Run again
      </Button>
      <Button onClick={judge}>Judge anew</Button>
      <Button kind="danger" onClick={remove}>
        Remove
      </Button>
    </>
  );
}
