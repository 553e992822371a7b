/** Listening to what others say while they say it: both sides, as sound and as waves. */

import { useEffect, useState } from "preact/hooks";
import { Button } from "../parts";
import { hear } from "../rooms";
import { on } from "../socket";
import type { Heard } from "./listen";
import { Player } from "./player";
import "./style.css";
import { Wave } from "./wave";

type Phase = "starting" | "waiting" | "live";

const WORDS: Record<Phase, string> = {
  starting: "Getting ready…",
  waiting: "Waiting for sound",
  live: "Listening",
};
const BEHIND_S = 1; // what waits longer to be played is left out: a page that was asleep goes on with now
const QUIET_MS = 2000; // without sound, after which one waits for it again
const CHAT_RATE = 24_000;
const CALL_RATE = 16_000;

export default function Listening({ room, runId, names, onStop }: Heard & { onStop: () => void }) {
  const [players, show] = useState<[Player, Player] | null>(null);
  const [phase, note] = useState<Phase>("starting");
  useEffect(() => {
    const rate = runId === undefined ? CHAT_RATE : CALL_RATE;
    const both: [Player, Player] = [new Player(rate), new Player(rate)];
    show(both);
    let quiet = 0;
    const play = (player: Player, sound: ArrayBuffer) => {
      if (player.ahead > BEHIND_S) player.drop();
      player.play(sound);
      note("live");
      clearTimeout(quiet);
      quiet = window.setTimeout(() => note("waiting"), QUIET_MS);
    };
    const undo = runId === undefined ? chat(room, both, play) : calls(runId, both, play);
    undo.push(hear(room, (hears) => note(hears ? "waiting" : "starting")));
    return () => {
      clearTimeout(quiet);
      for (const one of undo) one();
      for (const player of both) player.close();
    };
  }, [room, runId]);
  return (
    <section class="voice" aria-label="Sound">
      <p class="voice-phase" role="status" data-phase={phase}>
        {WORDS[phase]}
      </p>
      <Wave analyser={players?.[0].analyser ?? null} label={names[0]} kind="mine" />
      <Wave analyser={players?.[1].analyser ?? null} label={names[1]} kind="theirs" />
      <Button onClick={onStop}>Stop listening</Button>
    </section>
  );
}

type Play = (player: Player, sound: ArrayBuffer) => void;

/** What a learner and a persona say, each for itself. */
function chat(room: string, [learner, persona]: [Player, Player], play: Play): (() => void)[] {
  return [
    on("attempt_user_audio", (data) => data.room === room && data.audio && play(learner, data.audio)),
    on("attempt_assistant_audio", (data) => data.room === room && data.audio && play(persona, data.audio)),
    on("attempt_stopped", (data) => data.room === room && persona.drop()),
  ];
}

/** What our caller and an agent say in one call: two channels. */
function calls(runId: number, both: [Player, Player], play: Play): (() => void)[] {
  return [
    on("run_audio", (data) => {
      if (data.run_id !== runId) return;
      const samples = new Int16Array(data.audio, 0, Math.floor(data.audio.byteLength / 4) * 2);
      both.forEach((player, side) => {
        play(player, samples.filter((_, at) => at % 2 === side).buffer);
      });
    }),
  ];
}
