// One room, shown readably by its kind, under the bar that plays it.

import { useMemo, useState } from "preact/hooks";
import { chatFold } from "../../conversation/fold";
import { GradeView } from "../../conversation/grade";
import { Messages } from "../../conversation/messages";
import { older } from "../../conversation/older";
import type { ChatState, Message, Rubric, WholeGrade } from "../../conversation/types";
import { Busy, Empty, Failure, Page } from "../../parts";
import { useGet, usePages } from "../../rest";
import type { Fold } from "../../rooms";
import { href } from "../../router";
import { Listen } from "../../voice/listen";
import { testFold } from "../tests/fold";
import { DoingView } from "./doing";
import { batchFold, resultFold } from "./folds";
import { type Player, usePlayer } from "./player";
import { ReplaysView } from "./replays";
import { Transport } from "./transport";

const CRUMBS = [{ label: "Watch", to: href("watch") }];

export function RoomPage({ room }: { room: string }) {
  const kind = room.slice(0, room.indexOf("_"));
  if (kind === "attempt") {
    return (
      <Played room={room} fold={chatFold} title={(chat) => chat?.chat?.scenario.name ?? "Conversation"}>
        {(state, player) => <ChatView state={state} player={player} />}
      </Played>
    );
  }
  if (kind === "test") {
    return (
      <Played room={room} fold={testFold} title={(test) => `Test of ${test?.agent ?? "an agent"}`}>
        {(state) => <ReplaysView state={state} />}
      </Played>
    );
  }
  if (kind === "batch" || kind === "result") {
    const what = kind === "batch" ? "Batch job" : "Evaluator result";
    return (
      <Played room={room} fold={kind === "batch" ? batchFold : resultFold} title={() => what}>
        {(state) => <DoingView state={state} />}
      </Played>
    );
  }
  return (
    <Page title="Watch" crumbs={CRUMBS}>
      <Empty title="This room cannot be watched here">Choose one from the list.</Empty>
    </Page>
  );
}

interface PlayedProps<S> {
  room: string;
  fold: Fold<S>;
  title: (state: S | null) => string;
  children: (state: S, player: Player<S>) => preact.ComponentChildren;
}

function Played<S>({ room, fold, title, children }: PlayedProps<S>) {
  const player = usePlayer(room, fold);
  const { state } = player;
  return (
    <Page title={title(state)} crumbs={CRUMBS}>
      {player.error && <Failure error={player.error} />}
      {state === null && !player.error && <Busy label="Joining the room" />}
      {state !== null && (
        <>
          <Transport player={player} />
          {children(state, player)}
        </>
      )}
    </Page>
  );
}

function ChatView({ state, player }: { state: ChatState; player: Player<ChatState> }) {
  const [through, setThrough] = useState<string | null>(null);
  const [jump, setJump] = useState<{ id: string; quote: string; turn: number } | null>(null);
  const missing = state.more && player.mode === "live";
  const rest = usePages<Message & { chat_id: string }>(missing ? "/api/v1/messages" : null, {
    chat_id: player.room.slice("attempt_".length),
    limit: 200, // as many as the room gives: the next page is the first one that adds something
  });
  const before = useMemo(() => older(rest.items), [rest.items.length]);
  const persona = state.chat?.persona.name ?? "Persona";
  return (
    <div class="watch-chat">
      {state.voice !== null && player.mode === "live" && (
        <Listen room={player.room} names={["Learner", persona]} />
      )}
      <Messages
        label={`Conversation with ${persona}`}
        names={{ user: "Learner", assistant: persona }}
        state={state}
        older={{ items: before, more: rest.more, loading: rest.loading }}
        through={through}
        onThrough={setThrough}
        jump={jump}
      />
      {state.notice && state.notice.type !== "grade" && <p class="watch-notice">{state.notice.message}</p>}
      <ChatGrade
        state={state}
        onJump={(id, quote) => setJump((last) => ({ id, quote, turn: (last?.turn ?? 0) + 1 }))}
      />
    </div>
  );
}

function ChatGrade({ state, onJump }: { state: ChatState; onJump: (id: string, quote: string) => void }) {
  const grade = state.grades.at(-1) ?? null;
  const whole = useGet<WholeGrade>(grade?.state === "done" ? `/api/v1/grades/${grade.grade_id}` : null);
  const id = state.chat?.rubric_id;
  const rubric = useGet<Rubric>(grade && id ? `/api/v1/rubrics/${id}` : null);
  if (!grade) return null;
  return <GradeView grade={grade} rubric={rubric.data} whole={whole.data} onJump={onJump} />;
}
