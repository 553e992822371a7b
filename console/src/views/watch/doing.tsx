// A batch job or an evaluator's result: how far it is, who talks now, and what came last.

import { Badge, Meter, Table } from "../../parts";
import { number } from "../../parts/format";
import type { Doing, Newest } from "./folds";

const COLUMNS = [
  { key: "title", title: "What" },
  {
    key: "word",
    title: "Result",
    render: (item: Newest) => (
      <Badge tone={item.good === null ? "quiet" : item.good ? "good" : "bad"}>{item.word}</Badge>
    ),
  },
];

export function DoingView({ state }: { state: Doing }) {
  const total = state.total ?? state.done;
  return (
    <>
      <p class="watch-counts">
        <strong>
          {number(state.done)} of {number(total)}
        </strong>
        <Badge tone="info">{state.status.replaceAll("_", " ")}</Badge>
        <Badge tone="good">{number(state.passed)} passed</Badge>
        <Badge tone={state.failed ? "bad" : "quiet"}>{number(state.failed)} failed</Badge>
        {state.errors > 0 && <Badge tone="warn">{number(state.errors)} errors</Badge>}
      </p>
      <Meter label="Progress" value={state.done} max={Math.max(total, 1)} />
      {[...state.talks].map(([id, talk]) => (
        <section key={id} class="watch-talk" aria-label={talk.title}>
          <h2>{talk.title}</h2>
          <ol class="tests-talk">
            {talk.turns.map((turn, at) => (
              <li key={at} class="tests-words tests-assistant">
                <span class="tests-who">{turn.role}</span>
                <p>{turn.content}</p>
              </li>
            ))}
          </ol>
        </section>
      ))}
      <Table
        caption="Newest results"
        columns={COLUMNS}
        rows={state.newest}
        keyOf={(item) => item.key}
        empty={<p class="note">No result yet.</p>}
      />
    </>
  );
}
