/** The end of a search's time. */
export class Deadline {
  private constructor(
    private readonly startMs: number,
    private readonly endMs: number,
    private readonly signal: AbortSignal | undefined,
    private readonly now: () => number,
  ) {}

  static after(minutes: number, signal?: AbortSignal, now: () => number = Date.now): Deadline {
    return new Deadline(now(), now() + 60_000 * minutes, signal, now);
  }

  /** Throws the signal's reason when aborted. */
  isOver(): boolean {
    this.signal?.throwIfAborted();
    return this.now() >= this.endMs;
  }

  /** One that ends after a share of what is left. */
  part(share: number): Deadline {
    const now = this.now();
    return new Deadline(now, now + share * Math.max(0, this.endMs - now), this.signal, this.now);
  }

  /** Share of the time that is over, 0..1. */
  get elapsed(): number {
    const length = this.endMs - this.startMs;
    return length <= 0 ? 1 : Math.min(1, (this.now() - this.startMs) / length);
  }
}
