/** One's own voice session in a chat: started, muted, stopped, and started again when the line was away. */

import { effect, type ReadonlySignal, signal } from "@preact/signals";
import { call, line, on, stream } from "../socket";
import { type Microphone, openMicrophone } from "./microphone";
import { Player } from "./player";

export type Phase = "starting" | "live" | "muted" | "away" | "off";

export interface Talking {
  phase: ReadonlySignal<Phase>;
  /** Why it ended, when nobody here ended it. */
  trouble: ReadonlySignal<string | null>;
  microphone: ReadonlySignal<Microphone | null>;
  player: Player;
  mute(muted: boolean): Promise<void>;
  stop(): Promise<void>;
}

/** Begins to talk in a chat; needs a gesture of the user, as browsers want it. */
export function talk(chatId: string): Talking {
  const phase = signal<Phase>("starting");
  const trouble = signal<string | null>(null);
  const microphone = signal<Microphone | null>(null);
  const player = new Player();
  const undo: (() => void)[] = [];
  const here = { chat_id: chatId };
  let session: string | null = null; // ours, while it goes on

  function end(why: string | null): void {
    if (phase.value === "off") return;
    phase.value = "off";
    trouble.value = why;
    for (const one of undo) one();
    microphone.value?.close();
    player.close();
  }

  async function begin(): Promise<void> {
    phase.value = "starting";
    await call("attempt_audio_start", here);
  }

  const mine = <T extends { chat_id: string }>(step: (data: T) => void) => {
    return (data: T) => {
      if (data.chat_id === chatId) step(data);
    };
  };
  undo.push(
    on(
      "attempt_audio_ready",
      mine((data) => {
        if (phase.value === "starting") {
          session = data.session_id ?? null;
          if (data.success) phase.value = "live";
          else end(data.message ?? "The voice session could not start.");
        } else if (data.success && data.session_id !== session) end("You talk in another window now.");
      }),
    ),
    on(
      "attempt_audio_ended",
      mine((data) => {
        // that of a session that was lost with the line may be told later
        if (session !== null && data.session_id === session)
          end(data.message ?? "The voice session has ended.");
      }),
    ),
    on(
      "attempt_assistant_audio",
      mine((data) => data.audio && player.play(data.audio)),
    ),
    on(
      "attempt_stopped",
      mine(() => player.drop()),
    ),
    effect(() => {
      if (line.value !== "live") {
        if (phase.peek() === "live" || phase.peek() === "muted") phase.value = "away";
        session = null;
        player.drop();
      } else if (phase.peek() === "away") begin().catch((error: Error) => end(error.message));
    }),
  );

  async function open(): Promise<void> {
    const opened = await openMicrophone((frame) => {
      if (phase.peek() === "live") stream("attempt_audio_frame", { ...here, audio: frame });
    });
    if (phase.peek() === "off") return opened.close();
    microphone.value = opened;
    await begin();
  }
  open().catch((error: Error) => end(error.message));

  return {
    phase,
    trouble,
    microphone,
    player,
    async mute(muted) {
      await call("attempt_audio_mute", { ...here, muted });
      if (phase.value === "live" || phase.value === "muted") phase.value = muted ? "muted" : "live";
    },
    async stop() {
      end(null);
      await call("attempt_audio_stop", here).catch(() => undefined); // it may have ended by itself
    },
  };
}
