/** What started, ended and failed, with the rooms in which it is to be seen. */

import { useState } from "preact/hooks";
import { Badge, Button, Choice, Empty, Link, Table, When } from "../../parts";
import { number, shortId } from "../../parts/format";
import { href } from "../../router";
import type { Ops, Phase, Subject, Told } from "./fold";

const FIRST = 25;
const TONES = { started: "info", ended: "good", error: "bad" } as const;
const WORDS: Record<Phase, string> = { started: "started", ended: "ended", error: "failed" };

const what = {
  key: "what",
  title: "What",
  render: (one: Subject) => (
    <>
      {one.kind} <code title={String(one.id)}>{shortId(String(one.id))}</code>
    </>
  ),
};
const owner = {
  key: "owner",
  title: "Whose",
  render: (one: Subject) => (
    <>
      {one.owner.kind} <code title={one.owner.id}>{shortId(one.owner.id)}</code>
    </>
  ),
};
const watch = {
  key: "watch",
  title: "",
  render: (one: Subject) =>
    one.kind !== "playground" && ( // what is said there is its owner's alone
      <Link to={href("watch", one.subject_room)}>
        Watch<span class="ops-hidden"> {one.subject_room}</span>
      </Link>
    ),
};

/** List what was told, newest first. */
export function Activity({ told }: { told: Told[] }) {
  const [phase, setPhase] = useState("all");
  const [kind, setKind] = useState("all");
  const [many, setMany] = useState(FIRST);
  const kinds = [...new Set(told.map((one) => one.kind))].sort();
  const fits = told.filter(
    (one) => (phase === "all" || one.phase === phase) && (kind === "all" || one.kind === kind),
  );
  const columns = [
    {
      key: "phase",
      title: "Phase",
      render: (one: Told) => (
        <>
          <Badge tone={TONES[one.phase]}>{WORDS[one.phase]}</Badge> {one.code && <code>{one.code}</code>}
        </>
      ),
    },
    what,
    owner,
    { key: "at", title: "When", render: (one: Told) => <When at={one.at} /> },
    watch,
  ];
  return (
    <section aria-label="What happened">
      <header class="ops-head">
        <h2>What happened</h2>
        <Choice
          label="Phase"
          value={phase}
          options={[
            { value: "all", label: "all" },
            ...Object.entries(WORDS).map(([value, label]) => ({ value, label })),
          ]}
          onChange={setPhase}
        />
        <Choice
          label="Kind"
          value={kind}
          options={["all", ...kinds].map((value) => ({ value, label: value }))}
          onChange={setKind}
        />
      </header>
      <Table
        caption="What started, ended and failed"
        columns={columns}
        rows={fits.slice(0, many)}
        keyOf={(one: Told) => String(one.offset)}
        empty={<Empty title="Nothing yet">What starts, ends or fails is told here at once.</Empty>}
      />
      {fits.length > many && (
        <Button kind="plain" onClick={() => setMany(many + FIRST)}>
          Show more
        </Button>
      )}
    </section>
  );
}

/** List what goes on, newest first. */
export function Running({ ops }: { ops: Ops }) {
  const [many, setMany] = useState(FIRST);
  const rows = [...ops.running].reverse();
  return (
    <section aria-label="Going on">
      <h2>
        Going on <span class="ops-count">{number(rows.length)}</span>
      </h2>
      <Table
        caption="What has started and not ended"
        columns={[what, owner, watch]}
        rows={rows.slice(0, many)}
        keyOf={(one: Subject) => `${one.kind}:${one.id}:${one.subject_room}`}
        empty={<Empty title="Nothing goes on">Attempts, tests and jobs are here while they last.</Empty>}
      />
      {rows.length > many && (
        <Button kind="plain" onClick={() => setMany(many + FIRST)}>
          Show more
        </Button>
      )}
    </section>
  );
}

/** Count by kind what the room has told since it began. */
export function Counts({ counts }: { counts: Ops["counts"] }) {
  const rows = Object.entries(counts).sort(([one], [other]) => one.localeCompare(other));
  const count = (phase: Phase) => ({
    key: phase,
    title: WORDS[phase],
    align: "right" as const,
    render: ([, of]: [string, Record<Phase, number>]) => number(of[phase]),
  });
  return (
    <section aria-label="Counts">
      <h2>Counts</h2>
      <Table
        caption="How often what happened"
        columns={[
          { key: "kind", title: "Kind", render: ([kind]: [string, Record<Phase, number>]) => kind },
          count("started"),
          count("ended"),
          count("error"),
        ]}
        rows={rows}
        keyOf={([kind]: [string, Record<Phase, number>]) => kind}
        empty={<Empty title="Nothing counted">Counts begin with what happens first.</Empty>}
      />
    </section>
  );
}
