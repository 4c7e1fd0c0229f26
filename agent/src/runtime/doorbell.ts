/**
 * How the main thread gives a worker thread work: a few words of shared memory, on which the worker stands still between
 * requests. A thread in Atomics.wait is back in about half the time that one in its event loop takes (50 against 100 us for
 * the way there and back on a two-core machine), and a batch needs no message: it is a slab's number and a count of rows.
 * One side writes, the other reads; the counts only grow. The way back is a message, which wakes an event loop that waits; a
 * main thread that looks by itself (look-out.ts) needs none.
 */

/** More batches than a worker is ever given at once. */
const SLOTS = 16;
const RUNG = 0;
const MESSAGES = 1;
const BATCHES = 2;
const LOOKING = 3;
const STAY_US = 4;
const FIRST_SLOT = 5;
/** Of a slot: slab, rows, and how the batch was answered. */
const SLOT_WORDS = 3;
const UNANSWERED = 0;
const QUIETLY = 1;
const BY_MESSAGE = 2;

export interface PostedBatch {
  readonly slab: number;
  readonly rows: number;
}

export const doorbellMemory = (): SharedArrayBuffer => new SharedArrayBuffer(4 * (FIRST_SLOT + SLOT_WORDS * SLOTS));

// The count turns negative in the end; its lowest bits go on.
const slotOf = (batch: number): number => FIRST_SLOT + SLOT_WORDS * (batch & (SLOTS - 1));

/** The main thread's end. */
export class Doorbell {
  readonly #words: Int32Array;
  #answered = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** Says that a message was posted. */
  message(): void {
    Atomics.add(this.#words, MESSAGES, 1);
    this.#ring();
  }

  /** Posts a batch. The caller sees to it that fewer than sixteen are unanswered. */
  batch(slab: number, rows: number): void {
    const slot = slotOf(Atomics.load(this.#words, BATCHES));
    Atomics.store(this.#words, slot, slab);
    Atomics.store(this.#words, slot + 1, rows);
    Atomics.store(this.#words, slot + 2, UNANSWERED);
    Atomics.add(this.#words, BATCHES, 1);
    this.#ring();
  }

  /** True when the next unanswered batch was answered with nothing more to say; it counts as seen from then on. */
  takeQuiet(): boolean {
    if (this.#answered === Atomics.load(this.#words, BATCHES)) return false;
    if (Atomics.load(this.#words, slotOf(this.#answered) + 2) !== QUIETLY) return false;
    this.#answered = (this.#answered + 1) | 0;
    return true;
  }

  /** Counts the next batch as seen: its answer came as a message. */
  takeTold(): void {
    this.#answered = (this.#answered + 1) | 0;
  }

  /** Says whether this side looks by itself. Look once more after saying no: an answer may have come before it was heard. */
  looks(does: boolean): void {
    Atomics.store(this.#words, LOOKING, does ? 1 : 0);
  }

  /** Says for how long the worker may stay awake when it has nothing to do. */
  stay(ms: number): void {
    Atomics.store(this.#words, STAY_US, ms * 1000);
  }

  #ring(): void {
    Atomics.add(this.#words, RUNG, 1);
    Atomics.notify(this.#words, RUNG);
  }
}

/** The worker's end. */
export class Doorstep {
  readonly #words: Int32Array;
  #rung = 0;
  #messages = 0;
  #batches = 0;
  #answered = 0;
  #wasShort = false;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** Stands still until there is something that was not taken yet. Messages come before batches: they tell of slabs. */
  next(): PostedBatch | 'message' {
    for (;;) {
      // Read before looking: what is posted after the look changes it, and the wait below returns at once.
      this.#rung = Atomics.load(this.#words, RUNG);
      // Batches are counted before messages are looked at: one that is seen here was posted after the message that tells of
      // its slab, so that the look at messages cannot miss that. The other way round, both could come in between.
      const hasBatch = Atomics.load(this.#words, BATCHES) !== this.#batches;
      if (Atomics.load(this.#words, MESSAGES) !== this.#messages) {
        this.#messages = (this.#messages + 1) | 0;
        return 'message';
      }
      const batch = hasBatch ? this.batch() : null;
      if (batch) return batch;
      this.#wait();
    }
  }

  /**
   * Stays awake for as long as the other side allows, if the last wait was over within that time; then stands still. At a low
   * rate nothing is burnt; at a high one the next run finds its CPU awake, which is worth a tenth of a short run.
   */
  #wait(): void {
    const fromMs = performance.now();
    const forMs = (): number => Atomics.load(this.#words, STAY_US) / 1000;
    const isRung = (): boolean => Atomics.load(this.#words, RUNG) !== this.#rung;
    while (this.#wasShort && !isRung() && performance.now() - fromMs < forMs());
    if (!isRung()) Atomics.wait(this.#words, RUNG, this.#rung);
    this.#wasShort = performance.now() - fromMs < forMs();
  }

  /** Marks the oldest batch as answered. @returns whether the other side must be woken by a message */
  answered(quietly: boolean): boolean {
    Atomics.store(this.#words, slotOf(this.#answered) + 2, quietly ? QUIETLY : BY_MESSAGE);
    this.#answered = (this.#answered + 1) | 0;
    return !quietly || Atomics.load(this.#words, LOOKING) === 0;
  }

  /** The next batch that was not taken yet; null when there is none. */
  batch(): PostedBatch | null {
    if (Atomics.load(this.#words, BATCHES) === this.#batches) return null;
    const slot = slotOf(this.#batches);
    this.#batches = (this.#batches + 1) | 0;
    return { slab: Atomics.load(this.#words, slot), rows: Atomics.load(this.#words, slot + 1) };
  }
}
