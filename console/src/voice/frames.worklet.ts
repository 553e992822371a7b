// Cuts what a microphone hears into frames: 40 ms of 16-bit samples at 24 kHz. Runs in the audio thread.

import { LowPass } from "./lowpass";

declare const sampleRate: number;
declare function registerProcessor(name: string, processor: unknown): void;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}

const RATE = 24_000;
const FRAME = RATE / 25;
const HIGHEST = 10_500; // Hz, below half the rate: a filter has a slope

class Frames extends AudioWorkletProcessor {
  private frame = new Int16Array(FRAME);
  private filled = 0;
  private place = 0; // of the next sample that is wanted, counted in samples that come
  private last = 0;
  private readonly lowpass = sampleRate > RATE ? new LowPass(sampleRate, HIGHEST) : null;

  /** Takes 128 samples, and others where browsers differ; straight lines between them make the wanted rate. */
  process(inputs: Float32Array[][]): boolean {
    const heard = inputs[0]?.[0];
    if (!heard) return true;
    const { lowpass } = this;
    const sound = lowpass ? heard.map((sample) => lowpass.next(sample)) : heard;
    const step = sampleRate / RATE;
    while (this.place < sound.length) {
      const at = Math.floor(this.place);
      const before = at === 0 ? this.last : (sound[at - 1] ?? 0);
      const here = sound[at] ?? 0;
      this.add(before + (here - before) * (step === 1 ? 1 : this.place - at));
      this.place += step;
    }
    this.place -= sound.length;
    this.last = sound[sound.length - 1] ?? 0;
    return true;
  }

  private add(sample: number): void {
    this.frame[this.filled++] = Math.max(-1, Math.min(1, sample)) * 32_767;
    if (this.filled < FRAME) return;
    this.port.postMessage(this.frame.buffer, [this.frame.buffer]);
    this.frame = new Int16Array(FRAME);
    this.filled = 0;
  }
}

registerProcessor("frames", Frames);
