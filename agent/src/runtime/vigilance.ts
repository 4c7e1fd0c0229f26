/**
 * Whether threads stay awake for what comes next, instead of being woken by it: a thread that sleeps is back in 20 to 50 us, with
 * a CPU that needs as long again to be at work. That is a quarter of a short inference for a client that waits for each answer.
 * With several at once there is always somebody awake, and a CPU that only watches is one that they could use. Pure.
 */

export interface Moment {
  /** CPUs that no worker's threads are busy on, the run that begins counted. */
  readonly spareCpus: number;
  /** Nothing else runs or waits. */
  readonly isAlone: boolean;
  /** What the run should take. */
  readonly runMs: number;
}

export interface Watch {
  /** For how long a worker stays awake after a run. */
  readonly stayMs: number;
  /** For how long the main thread looks for the run's answer by itself. */
  readonly lookMs: number;
}

/** Of a longer run, the time to wake up is no part worth a CPU. */
const LOOKED_FOR_MS = 2;
/** A client that asks again at once does so within this. */
const STAY_MS = 1;
const MEMORY = 0.05;
/** Of the latest runs, the share that had company; more is no single client. */
const MOST_COMPANY = 0.05;

export class Vigilance {
  #company = 0;

  /** What to do now; to be asked once for each run. */
  at({ spareCpus, isAlone, runMs }: Moment): Watch {
    this.#company += MEMORY * ((isAlone ? 0 : 1) - this.#company);
    if (!isAlone || spareCpus <= 0 || this.#company >= MOST_COMPANY) return { stayMs: 0, lookMs: 0 };
    return { stayMs: STAY_MS, lookMs: runMs <= LOOKED_FOR_MS ? 2 * runMs : 0 };
  }
}
