// One's attempts, newest first: open ones to go on with, ended ones to look at.

import { myId } from "../../identity";
import { Badge, Busy, Button, Empty, Failure, Link, Page, When } from "../../parts";
import { usePages } from "../../rest";
import { href } from "../../router";
import type { Attempt } from "./content";

export function History() {
  const { items, more, error, loading, reload } = usePages<Attempt>("/api/v1/attempts", {
    profile_id: myId(),
    limit: 30,
  });
  return (
    <Page title="History" crumbs={[{ label: "Practise", to: href("practise") }]}>
      {error && <Failure error={error} retry={reload} />}
      {items.length === 0 && loading && <Busy label="Reading your attempts" />}
      {items.length === 0 && !loading && !error && (
        <Empty title="You have not practised yet">
          <Link to={href("practise")}>Choose something to practise</Link>
        </Empty>
      )}
      <ul class="practise-history">
        {items.map((attempt) => (
          <Row key={attempt.id} attempt={attempt} />
        ))}
      </ul>
      {more && (
        <Button onClick={more} busy={loading}>
          Older attempts
        </Button>
      )}
    </Page>
  );
}

function Row({ attempt }: { attempt: Attempt }) {
  const done = attempt.entries.filter((entry) => entry.state === "done").length;
  const total = attempt.entries.length;
  return (
    <li>
      <div class="practise-grow">
        <Link to={href("practise", "attempt", attempt.id)}>{attempt.name}</Link>
        <p class="practise-quiet">
          <When at={attempt.created_at} />, {done} of {total} {total === 1 ? "scenario" : "scenarios"} done
        </p>
      </div>
      <Standing attempt={attempt} />
    </li>
  );
}

export function Standing({ attempt }: { attempt: Attempt }) {
  if (attempt.status === "open") return <Badge tone="info">Open</Badge>;
  if (attempt.status === "ending") return <Badge tone="warn">Being graded</Badge>;
  return attempt.all_scenarios_complete ? (
    <Badge tone="good">Complete</Badge>
  ) : (
    <Badge tone="quiet">Ended early</Badge>
  );
}
