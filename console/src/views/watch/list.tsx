// The rooms in which something goes on.

import { useEffect, useState } from "preact/hooks";
import { may } from "../../identity";
import { Badge, Busy, Button, Check, Choice, Empty, Failure, Link, Page, type Tone, When } from "../../parts";
import { number } from "../../parts/format";
import { usePages } from "../../rest";
import { follow } from "../../rooms";
import { href } from "../../router";

export interface Room {
  room: string;
  kind: string;
  name?: string;
  status?: string;
  created_at?: string;
  offset: number;
}

const KINDS = {
  attempt: { one: "Conversation", many: "Conversations", tone: "info" },
  test: { one: "Test", many: "Tests", tone: "good" },
  batch: { one: "Batch job", many: "Batch jobs", tone: "warn" },
  evaluator: { one: "Evaluator result", many: "Evaluator results", tone: "quiet" },
} as const satisfies Record<string, { one: string; many: string; tone: Tone }>;
type Kind = keyof typeof KINDS;
type Shown = Room & { kind: Kind };

const POLL_MS = 5000;
const SOON_MS = 2000; // so that many entries of the ops room ask once

export function Rooms() {
  const [kind, setKind] = useState<Kind | "all">("all");
  const [ended, setEnded] = useState(false);
  const rooms = usePages<Room>("/api/v1/rooms", { limit: 100, ...(ended ? {} : { live: 1 }) });
  useFresh(rooms.reload);
  const shown = rooms.items.filter((room): room is Shown => room.kind in KINDS);
  const left = shown.filter((room) => kind === "all" || room.kind === kind);
  return (
    <Page title="Watch">
      <div class="watch-filters">
        <Choice
          label="Show"
          value={kind}
          options={[
            { value: "all", label: "Everything" },
            ...Object.entries(KINDS).map(([value, { many }]) => ({ value: value as Kind, label: many })),
          ]}
          onChange={setKind}
        />
        <Check label="Also what has ended" checked={ended} onChange={setEnded} />
      </div>
      {rooms.error && <Failure error={rooms.error} retry={rooms.reload} />}
      {rooms.loading && rooms.items.length === 0 && <Busy label="Looking for rooms" />}
      {left.length > 0 && (
        <ul class="watch-rooms" aria-label="Rooms">
          {left.map((room) => (
            <li key={room.room}>
              <Link to={href("watch", room.room)} class="watch-room">
                <span class="watch-name">{room.name || KINDS[room.kind].one}</span>
                <span class="watch-facts">
                  <Badge tone={KINDS[room.kind].tone}>{KINDS[room.kind].one}</Badge>
                  {room.status === "closed" && <span>ended</span>}
                  <span>{number(room.offset)} entries</span>
                  <When at={room.created_at} />
                </span>
              </Link>
            </li>
          ))}
        </ul>
      )}
      {left.length === 0 && !rooms.loading && !rooms.error && (
        <Empty title="Nothing goes on here">
          Conversations, tests, batch jobs and evaluator results appear as they begin.
        </Empty>
      )}
      {rooms.more && <Button onClick={rooms.more}>More</Button>}
    </Page>
  );
}

/** Reads the list again as things begin and end: told by the ops room to who may follow it, else now and then. */
function useFresh(reload: () => void): void {
  useEffect(() => {
    let soon = 0;
    const again = () => {
      soon ||= window.setTimeout(() => {
        soon = 0;
        reload();
      }, SOON_MS);
    };
    const leave = may("ops")
      ? follow("ops", { snapshot: again, entry: again, place: () => undefined })
      : () => undefined;
    const poll = setInterval(() => !document.hidden && reload(), POLL_MS);
    return () => {
      leave();
      clearInterval(poll);
      clearTimeout(soon);
    };
  }, []);
}
