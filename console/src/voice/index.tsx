/** Talking with a persona: a microphone, what it hears and what is answered, as waves. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Button } from "../parts";
import "./style.css";
import { type Phase, type Talking, talk } from "./talking";
import { Wave } from "./wave";

const WORDS: Record<Phase, string> = {
  starting: "Getting ready…",
  live: "Listening",
  muted: "Muted",
  away: "The connection is away",
  off: "Off",
};

export default function Voice({ chatId, onOff }: { chatId: string; onOff: (why: string | null) => void }) {
  const talking = useSignal<Talking | null>(null);
  useEffect(() => {
    const begun = talk(chatId);
    talking.value = begun;
    const undo = begun.phase.subscribe((phase) => {
      if (phase === "off") onOff(begun.trouble.peek());
    });
    return () => {
      undo();
      void begun.stop();
    };
  }, [chatId]);
  const now = talking.value;
  const phase = now?.phase.value ?? "starting";
  return (
    <section class="voice" aria-label="Voice">
      <p class="voice-phase" role="status" data-phase={phase}>
        {WORDS[phase]}
      </p>
      <Wave analyser={now?.microphone.value?.analyser ?? null} label="You" kind="mine" />
      <Wave analyser={now?.player.analyser ?? null} label="Persona" kind="theirs" />
      <Button onClick={() => now?.mute(phase !== "muted")} disabled={phase !== "live" && phase !== "muted"}>
        {phase === "muted" ? "Unmute" : "Mute"}
      </Button>
      <Button onClick={() => now?.stop()}>Stop talking</Button>
    </section>
  );
}
