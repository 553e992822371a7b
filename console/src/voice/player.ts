/** Plays sound as it comes: 16-bit samples, little-endian, 24 kHz. */

const RATE = 24_000;
const LATE_S = 0.08; // what comes just in time would be cut into pieces

export class Player {
  readonly analyser: AnalyserNode;
  private readonly context = new AudioContext({ sampleRate: RATE });
  private until = 0;
  private playing = new Set<AudioBufferSourceNode>();

  constructor() {
    this.analyser = new AnalyserNode(this.context, { fftSize: 512 });
    this.analyser.connect(this.context.destination);
  }

  play(sound: ArrayBuffer): void {
    const samples = new Int16Array(sound, 0, Math.floor(sound.byteLength / 2));
    if (samples.length === 0) return;
    const buffer = this.context.createBuffer(1, samples.length, RATE);
    buffer.copyToChannel(
      Float32Array.from(samples, (sample) => sample / 32_768),
      0,
    );
    const source = new AudioBufferSourceNode(this.context, { buffer });
    source.connect(this.analyser);
    const now = this.context.currentTime;
    if (this.until < now) this.until = now + LATE_S;
    source.start(this.until);
    this.until += buffer.duration;
    this.playing.add(source);
    source.onended = () => this.playing.delete(source);
  }

  /** Falls silent at once. */
  drop(): void {
    for (const source of this.playing) source.stop();
    this.playing.clear();
    this.until = 0;
  }

  close(): void {
    this.drop();
    void this.context.close();
  }
}
