// The bar below which a room is shown: live, held, moved through, played.

import { useEffect } from "preact/hooks";
import { clock } from "../../conversation/timer";
import { Button, Choice, toast } from "../../parts";
import { type Player, SPEEDS, type Speed } from "./player";

const OTHERS =
  "input:not([type=range]), textarea, select, button, a, summary, dialog, [role=log], [role=tab]";
const SAID = { live: "Live", paused: "Paused", playing: "Playing" } as const;

export function Transport<S>({ player }: { player: Player<S> }) {
  useKeys(player);
  const { mode, at, head, floor, place } = player;
  return (
    <section class="watch-bar" aria-label="Playback">
      <div class="watch-controls">
        <Button
          onClick={() => player.toggle()}
          label={mode === "paused" ? "Play" : "Pause"}
          title="Space"
          disabled={head === 0}
        >
          <span class={`watch-sign ${mode === "paused" ? "play" : "pause"}`} aria-hidden="true" />
        </Button>
        <Button onClick={() => player.live()} kind={mode === "live" ? "primary" : "plain"}>
          Live
        </Button>
        <Choice
          label="Speed"
          value={player.speed}
          options={SPEEDS.map((value) => ({ value, label: `${value} ×` }))}
          onChange={(speed: Speed) => void player.setSpeed(speed).catch(tell)}
        />
        <p class="watch-mode" role="status">
          {SAID[mode]}
          {place === "away" && <span class="watch-dot" role="img" aria-label="The line is away" />}
        </p>
      </div>
      <div class="watch-line">
        <input
          type="range"
          aria-label="Position"
          aria-valuetext={position(player)}
          min={floor}
          max={Math.max(head, floor + 1)}
          step={1}
          value={at}
          disabled={head === 0}
          onInput={(event) => void player.seek(event.currentTarget.valueAsNumber).catch(tell)}
        />
        <span class="watch-place">{position(player)}</span>
      </div>
      {floor > 0 && <p class="note">The first {floor} entries are not kept any more.</p>}
    </section>
  );
}

function position<S>({ at, head, seconds }: Player<S>): string {
  const after = seconds === null ? "" : `, ${clock(seconds)} after the beginning`;
  return `Entry ${at} of ${head}${after}`;
}

function useKeys<S>(player: Player<S>): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const target = event.target instanceof Element ? event.target : null;
      if (event.ctrlKey || event.metaKey || event.altKey || target?.closest(OTHERS)) return;
      const onRange = target?.matches("input[type=range]") === true;
      const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1 };
      const step = steps[event.key];
      if (event.key !== " " && (step === undefined || onRange)) return;
      event.preventDefault();
      if (step === undefined) Promise.resolve(player.toggle()).catch(tell);
      else player.seek(player.at + step).catch(tell);
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [player]);
}

function tell(error: Error): void {
  toast(error.message, "bad");
}
