/** Takes out what a lower rate cannot carry: a windowed sinc (Hamming), some 50 dB down from 13 kHz on at 48 kHz. */

const TAPS = 95;

export class LowPass {
  private readonly taps = new Float32Array(TAPS);
  private readonly past = new Float32Array(TAPS);
  private at = 0;

  constructor(rate: number, hertz: number) {
    const middle = (TAPS - 1) / 2;
    const share = (2 * hertz) / rate;
    for (let n = 0; n < TAPS; n++) {
      const x = Math.PI * share * (n - middle);
      const window = 0.54 - 0.46 * Math.cos((2 * Math.PI * n) / (TAPS - 1));
      this.taps[n] = share * (x === 0 ? 1 : Math.sin(x) / x) * window;
    }
  }

  /** Takes a sample, and returns one: a millisecond late at 48 kHz. */
  next(sample: number): number {
    this.past[this.at] = sample;
    this.at = (this.at + 1) % TAPS;
    let sum = 0;
    for (let n = 0; n < TAPS; n++) sum += (this.taps[n] ?? 0) * (this.past[(this.at + n) % TAPS] ?? 0);
    return sum;
  }
}
