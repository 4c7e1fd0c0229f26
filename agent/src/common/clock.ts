import { readIfThere, writeDurably } from './files.js';

/** Milliseconds since 1970. Passed in wherever time decides something. */
export type Clock = () => number;

const STEP_MS = 60_000;

/**
 * A clock that never reads earlier than the latest time this device has known: boards without a battery start in 1970,
 * and an expired manifest must not become valid again by that [fleet security, freeze attack].
 */
export class FlooredClock {
  private floorMs: number;

  constructor(
    private readonly file: string,
    private readonly clock: Clock,
  ) {
    this.floorMs = Number(readIfThere(file) ?? 0) || 0;
  }

  readonly now = (): number => Math.max(this.clock(), this.floorMs);

  /** Remembers a time known to be past (now, or one that the controller stated), at most once a minute. */
  learn(knownMs = this.clock()): void {
    if (!Number.isFinite(knownMs) || knownMs < this.floorMs + STEP_MS) return;
    this.floorMs = knownMs;
    try {
      writeDurably(this.file, String(Math.floor(knownMs)));
    } catch {
      // A full disk: the floor holds until the next start.
    }
  }
}
