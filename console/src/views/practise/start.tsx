// What one may practise, and what is still open.

import { useState } from "preact/hooks";
import { myId } from "../../identity";
import { Busy, Button, Check, Empty, Failure, Link, Page, When } from "../../parts";
import { useGet, usePages } from "../../rest";
import { goFrom, href } from "../../router";
import { call } from "../../socket";
import type { Attempt, Source, SourceKind } from "./content";

export function Start() {
  const [endless, setEndless] = useState(false);
  return (
    <Page title="Practise" actions={<Link to={href("practise", "history")}>History</Link>}>
      <OpenAttempts />
      <Sources kind="home" title="For you" path="/api/v1/homes" endless={endless} quiet />
      <Sources kind="practice" title="Practices" path="/api/v1/practices" endless={endless} />
      <Check
        label="Go round and round"
        hint="What is started begins again after its last scenario, until the attempt is ended."
        checked={endless}
        onChange={setEndless}
      />
    </Page>
  );
}

function OpenAttempts() {
  const { data } = useGet<{ items: Attempt[] }>("/api/v1/attempts", { profile_id: myId(), limit: 20 });
  const open = (data?.items ?? []).filter((attempt) => attempt.status === "open").slice(0, 3);
  if (open.length === 0) return null;
  return (
    <section class="practise-section" aria-labelledby="practise-open">
      <h2 id="practise-open">Go on with</h2>
      <ul class="practise-open">
        {open.map((attempt) => (
          <li key={attempt.id}>
            <Link to={href("practise", "attempt", attempt.id)}>{attempt.name}</Link>{" "}
            <span class="practise-quiet">
              begun <When at={attempt.created_at} />
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface SourcesProps {
  kind: SourceKind;
  title: string;
  path: string;
  /** Begin again after the last scenario. */
  endless: boolean;
  /** Say nothing when there are none. */
  quiet?: boolean;
}

function Sources({ kind, title, path, endless, quiet }: SourcesProps) {
  const { items, more, error, loading, reload } = usePages<Source>(path);
  if (quiet && items.length === 0 && !error) return null;
  return (
    <section class="practise-section" aria-labelledby={`practise-${kind}`}>
      <h2 id={`practise-${kind}`}>{title}</h2>
      {error && <Failure error={error} retry={reload} />}
      {loading && items.length === 0 && <Busy label="Reading what there is to practise" />}
      {!loading && !error && items.length === 0 && (
        <Empty title="There is nothing to practise yet">
          An author can write a practice, or load a content pack.
        </Empty>
      )}
      <ul class="practise-cards">
        {items.map((source) => (
          <Card key={source.id} kind={kind} source={source} endless={endless} />
        ))}
      </ul>
      {more && (
        <Button onClick={more} busy={loading}>
          More
        </Button>
      )}
    </section>
  );
}

function Card({ kind, source, endless }: { kind: SourceKind; source: Source; endless: boolean }) {
  const begin = async () => {
    const what = kind === "home" ? { home_id: source.id } : { practice_id: source.id };
    const then = goFrom();
    const ack = await call("attempt_start", { ...what, infinite_mode: endless });
    then(href("practise", "attempt", String(ack.attempt_id)));
  };
  const count = source.scenarios.length;
  return (
    <li class="practise-card">
      <h3>{source.name}</h3>
      {source.description && <p>{source.description}</p>}
      <p class="practise-quiet">{count === 1 ? "1 scenario" : `${count} scenarios`}</p>
      <div class="practise-row">
        <Button kind="primary" onClick={begin} label={`Start ${source.name}`}>
          Start
        </Button>
      </div>
    </li>
  );
}
