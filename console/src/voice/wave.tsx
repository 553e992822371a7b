import { useEffect, useRef } from "preact/hooks";

const LOUDER = 3; // speech is seldom near the loudest that there is

/** How something sounds now; a picture beside words that say the same. */
export function Wave({
  analyser,
  label,
  kind,
}: {
  analyser: AnalyserNode | null;
  label: string;
  kind: string;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!analyser || !context || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const samples = new Uint8Array(analyser.fftSize);
    let next = 0;
    const draw = () => {
      const { width, height } = context.canvas;
      analyser.getByteTimeDomainData(samples);
      context.clearRect(0, 0, width, height);
      context.strokeStyle = getComputedStyle(context.canvas).color;
      context.beginPath();
      samples.forEach((sample, at) => {
        const swing = Math.max(-1, Math.min(1, ((sample - 128) / 128) * LOUDER));
        context.lineTo((at / samples.length) * width, ((1 + swing) / 2) * height);
      });
      context.stroke();
      next = requestAnimationFrame(draw);
    };
    draw();
    return () => cancelAnimationFrame(next);
  }, [analyser]);
  return (
    <span class="voice-side">
      {label}
      <canvas
        ref={canvas}
        class={`voice-wave voice-${kind}`}
        width={160}
        height={36}
        role="img"
        aria-label={`How ${label} sounds`}
      />
    </span>
  );
}
