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
  let asked = false; // for a session, and the server knows
  let silent = false; // muted, as the user wants it, also in the next session

  function end(why: string | null): void {
    if (phase.value === "off") return;
    trouble.value = why; // first: who hears of the end asks for it
    phase.value = "off";
    for (const one of undo) one();
    microphone.value?.close();
    player.close();
  }

  async function begin(): Promise<void> {
    phase.value = "starting";
    await call("attempt_audio_start", here);
    asked = true;
  }

  async function mute(muted: boolean): Promise<void> {
    silent = muted;
    if (phase.value === "off" || phase.value === "away") return;
    if (muted) phase.value = "muted"; // at once: nothing more leaves the page
    await call("attempt_audio_mute", { ...here, muted });
    if (phase.value === "muted" && !silent) phase.value = "live";
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
          if (!asked) return; // that of a session before, told again
          session = data.session_id ?? null;
          if (!data.success) end(data.message ?? "The voice session could not start.");
          else if (silent) void mute(true);
          else phase.value = "live";
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
        if (phase.peek() !== "off" && asked) phase.value = "away";
        session = null;
        asked = false;
        player.drop();
      } else if (phase.peek() === "away") begin().catch((error: Error) => end(error.message));
    }),
  );

  async function open(): Promise<void> {
    const opened = await openMicrophone({
      hear: (frame) => {
        if (phase.peek() === "live") stream("attempt_audio_frame", { ...here, audio: frame });
      },
      lost: () => {
        end("The microphone is gone.");
        void call("attempt_audio_stop", here).catch(() => undefined); // it may have ended, too
      },
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
    mute,
    async stop() {
      if (phase.value === "off") return; // it has ended, and another one may go on elsewhere
      end(null);
      await call("attempt_audio_stop", here).catch(() => undefined); // it may have ended by itself
    },
  };
}
