/** Plays sound as it comes: 16-bit samples, little-endian, one channel. */

const LATE_S = 0.08; // what comes just in time would be cut into pieces

export class Player {
  readonly analyser: AnalyserNode;
  private readonly context: AudioContext;
  private until = 0;
  private playing = new Set<AudioBufferSourceNode>();

  constructor(private readonly rate = 24_000) {
    this.context = new AudioContext({ sampleRate: rate });
    this.analyser = new AnalyserNode(this.context, { fftSize: 512 });
    this.analyser.connect(this.context.destination);
    void this.context.resume(); // browsers may let it begin suspended
  }

  play(sound: ArrayBuffer): void {
    const samples = new Int16Array(sound, 0, Math.floor(sound.byteLength / 2));
    if (samples.length === 0) return;
    const buffer = this.context.createBuffer(1, samples.length, this.rate);
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

  /** The seconds of sound that wait to be played. */
  get ahead(): number {
    return Math.max(0, this.until - this.context.currentTime);
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
