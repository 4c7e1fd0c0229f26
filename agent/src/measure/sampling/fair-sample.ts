/**
 * Which of many candidates are kept. Tokens come in over the day and are spent in short windows: of the candidates of a
 * window each has the same chance [Vitter 1985, algorithm R], a burst cannot spend the day, and what comes rarely is not
 * missed. Time and chance are passed in; nothing waits here.
 */
const DAY_MS = 86_400_000;
/** Long enough that the first of a burst has no advantage, short enough that few inputs wait unsealed in memory. */
export const WINDOW_MS = 10_000;
/** Candidates that one window may keep: their memory. */
export const AT_ONCE = 4;

/** What was kept on a day (days since 1970), so that a restart does not begin it anew. */
export interface DayCount {
  readonly day: number;
  readonly kept: number;
}

export class FairSample<T> {
  #tokens: number;
  #refilledMs: number;
  #day: DayCount;
  #window: { readonly openedMs: number; readonly size: number; seen: number; readonly chosen: T[] } | null = null;

  constructor(
    private readonly perDay: number,
    private readonly random: () => number,
    nowMs: number,
    day: DayCount = { day: 0, kept: 0 },
  ) {
    this.#tokens = Math.min(perDay, AT_ONCE);
    this.#refilledMs = nowMs;
    this.#day = day;
  }

  get day(): DayCount {
    return this.#day;
  }

  /** True when a window has candidates that {@link close} will give. */
  get isOpen(): boolean {
    return this.#window !== null;
  }

  /** Whether a candidate would be considered now: for hours of a day none is, and nobody need look for one. */
  isReady(nowMs: number): boolean {
    return this.#window ? nowMs - this.#window.openedMs < WINDOW_MS : this.#room(nowMs) >= 1;
  }

  /** One candidate; `take` is called only if it is chosen, for now. */
  offer(nowMs: number, take: () => T): void {
    this.#window ??= this.#open(nowMs);
    const window = this.#window;
    if (!window || nowMs - window.openedMs >= WINDOW_MS) return;
    window.seen++;
    if (window.chosen.length < window.size) window.chosen.push(take());
    else {
      const at = Math.floor(this.random() * window.seen);
      if (at < window.size) window.chosen[at] = take();
    }
  }

  /** What the window chose, once it is over; else nothing. */
  close(nowMs: number): readonly T[] {
    const window = this.#window;
    if (!window || nowMs - window.openedMs < WINDOW_MS) return [];
    this.#window = null;
    this.#tokens -= window.chosen.length;
    this.#day = { day: this.#day.day, kept: this.#day.kept + window.chosen.length };
    return window.chosen;
  }

  #open(nowMs: number) {
    const size = this.#room(nowMs);
    return size < 1 ? null : { openedMs: nowMs, size, seen: 0, chosen: [] as T[] };
  }

  /** How many a window that opens now may keep. */
  #room(nowMs: number): number {
    const refill = (Math.max(0, nowMs - this.#refilledMs) * this.perDay) / DAY_MS;
    this.#tokens = Math.min(this.#tokens + refill, this.perDay, AT_ONCE);
    this.#refilledMs = Math.max(nowMs, this.#refilledMs);
    const day = Math.floor(nowMs / DAY_MS);
    // A clock that was set back begins no new day.
    if (day > this.#day.day) this.#day = { day, kept: 0 };
    const left = this.perDay - this.#day.kept;
    // What the day cannot spend is not saved up for the next one, which would be spent in its first hours.
    if (left < 1) this.#tokens = Math.min(this.#tokens, 1);
    return Math.min(Math.floor(this.#tokens), left);
  }
}
