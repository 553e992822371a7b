/** When what streams in is drawn. */

const CALM_MS = 50; // between two drawings: words of a reply come as often, and a person reads no faster

/** Draws soon after each change, at once when nothing was drawn lately, and never more than 20 times a second. */
export class Drawing {
  private timer = 0;
  private frame = 0;
  private last = 0;

  constructor(private readonly draw: () => void) {}

  soon(): void {
    if (this.timer !== 0 || this.frame !== 0) return;
    const wait = this.last + CALM_MS - performance.now();
    if (wait <= 0) this.next();
    else this.timer = window.setTimeout(() => this.next(), wait);
  }

  stop(): void {
    clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
    this.timer = this.frame = 0;
  }

  private next(): void {
    this.timer = 0;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.last = performance.now();
      this.draw();
    });
  }
}
