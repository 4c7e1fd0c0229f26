/** The threads that serve one model: opened alike, given up when they hang, opened again when they end. */
import type { CodedError, SessionOptions } from '@espalier/proto';
import { fullJitterMs } from '../common/backoff.js';
import { WorkerHung } from '../errors.js';
import { ModelWorker } from './model-worker.js';

/** A worker with what it is doing. */
export interface Seat {
  readonly worker: ModelWorker;
  inFlight: number;
  /** When the oldest run under way was given to it, and when all that it has should be done; one clock's milliseconds. */
  sinceMs: number;
  freeAtMs: number;
}

export interface WorkerSetParts {
  readonly file: string;
  readonly options: SessionOptions;
  readonly count: number;
  /** A run that takes longer hangs. */
  readonly hangLimitMs: number;
  readonly now: () => number;
  /** So many ends within a minute are not bad luck: the set gives up. */
  readonly endsAMinute?: number;
  readonly script?: URL;
}

const RESTART = { baseMs: 100, capMs: 10_000 };
const ENDS_A_MINUTE = 5;
const MINUTE_MS = 60_000;

export class WorkerSet {
  readonly seats: Seat[] = [];
  #ends: number[] = [];
  #closing = false;
  #restarting: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout;
  /** Called when a worker is there to work again. */
  onReady: () => void = () => undefined;
  /** Called once, when the set gives up. */
  onLost: (cause: CodedError) => void = () => undefined;

  private constructor(private readonly parts: WorkerSetParts) {
    this.#heartbeat = setInterval(() => this.#giveUpHung(), Math.max(50, parts.hangLimitMs / 4)).unref();
  }

  /** Opens all workers. @throws ESP_MODEL_LOAD_FAILED */
  static async open(parts: WorkerSetParts): Promise<WorkerSet> {
    const set = new WorkerSet(parts);
    try {
      // One after another: each load has all cores, and the peak of memory is that of one.
      for (let at = 0; at < parts.count; at++) await set.#add();
      return set;
    } catch (error) {
      await set.close();
      throw error;
    }
  }

  get count(): number {
    return this.parts.count;
  }

  get alive(): boolean {
    return this.seats.length > 0;
  }

  /**
   * The worker that can begin next: an idle one, else one with less than `depth` runs; null when none can. Of idle ones the
   * one that has just worked: its caches are warm, and it may be awake still.
   */
  pick(depth: number): Seat | null {
    const open = this.seats.filter(({ inFlight }) => inFlight < depth);
    const isBefore = (a: Seat, b: Seat): boolean =>
      a.inFlight !== b.inFlight
        ? a.inFlight < b.inFlight
        : a.inFlight === 0
          ? a.sinceMs > b.sinceMs
          : a.freeAtMs < b.freeAtMs;
    return open.reduce<Seat | null>((best, seat) => (best === null || isBefore(seat, best) ? seat : best), null);
  }

  /** Lets what runs finish, then ends the threads. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#heartbeat);
    clearTimeout(this.#restarting);
    await Promise.all(this.seats.map(({ worker }) => worker.close()));
  }

  async #add(): Promise<void> {
    const { file, options, script } = this.parts;
    const worker = await ModelWorker.open(file, options, { script });
    if (this.#closing) return worker.close();
    const seat: Seat = { worker, inFlight: 0, sinceMs: 0, freeAtMs: 0 };
    this.seats.push(seat);
    worker.onGone = (cause) => this.#ended(seat, cause);
  }

  #ended(seat: Seat, cause: CodedError): void {
    this.seats.splice(this.seats.indexOf(seat), 1);
    if (this.#closing) return;
    const nowMs = this.parts.now();
    this.#ends = [...this.#ends.filter((atMs) => nowMs - atMs < MINUTE_MS), nowMs];
    if (this.#ends.length > (this.parts.endsAMinute ?? ENDS_A_MINUTE)) this.onLost(cause);
    else this.#restart(this.#ends.length - 1);
  }

  #restart(attempt: number): void {
    const delayMs = attempt === 0 ? 0 : fullJitterMs(attempt, RESTART, Math.random);
    this.#restarting = setTimeout(() => {
      this.#add().then(
        () => this.onReady(),
        (error: CodedError) => (this.alive ? this.#restart(attempt + 1) : this.onLost(error)),
      );
    }, delayMs);
  }

  #giveUpHung(): void {
    const nowMs = this.parts.now();
    for (const { worker, inFlight, sinceMs } of [...this.seats])
      if (inFlight > 0 && nowMs - sinceMs > this.parts.hangLimitMs)
        worker.abandon(WorkerHung({ seconds: Math.round((nowMs - sinceMs) / 100) / 10 }));
  }
}
