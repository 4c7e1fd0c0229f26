/** The workers of one model over its life: opened as a plan says, exchanged, lent out between requests, lost. */
import type { CodedError, SessionOptions } from '@espalier/proto';
import { WorkerGone } from '../errors.js';
import type { ModelWorker } from './model-worker.js';
import type { OtherRuntime } from './others.js';
import { type ServingPlan, withoutRuntime, withPlan } from './serving-plan.js';
import { type Seat, WorkerSet } from './worker-set.js';

export interface CrewParts {
  readonly file: string;
  /** The same network for other runtimes, which a plan may name. */
  readonly others?: readonly OtherRuntime[];
  readonly options: SessionOptions;
  /** A run that takes longer hangs; milliseconds. */
  readonly hangLimitMs: number;
  readonly now: () => number;
  readonly script?: URL;
}

/** ONNX Runtime is there to go back to: another runtime that ends twice within a minute is not tried a third time. */
const OTHER_ENDS_A_MINUTE = 1;

/** Opens workers as a plan says, or one. @throws ESP_MODEL_LOAD_FAILED */
export function openWorkers(
  { file, others = [], options, hangLimitMs, now, script }: CrewParts,
  plan: ServingPlan | null,
): Promise<WorkerSet> {
  const other = others.find(({ adapter }) => adapter === plan?.runtime);
  return WorkerSet.open({
    ...{ file: other?.file ?? file, options: withPlan(options, plan), count: plan?.workers ?? 1, hangLimitMs, now },
    ...(other ? { endsAMinute: OTHER_ENDS_A_MINUTE } : {}),
    ...(script ? { script } : {}),
  });
}

export class Crew {
  #gone: CodedError | null = null;
  /** Who waits for a worker that no request needs, or for the end of all work. */
  readonly #waiting: (() => void)[] = [];
  /** Called when a worker may take work. */
  onFree: () => void = () => undefined;
  /** Called once, when no worker will come any more: the cause, and whether it was asked for. */
  onEnd: (cause: CodedError, wasLost: boolean) => void = () => undefined;
  /** Called when the runtime of a plan has failed and ONNX Runtime takes its place. */
  onFellBack: (cause: CodedError, lost: ServingPlan) => void = () => undefined;

  private constructor(
    private readonly parts: CrewParts,
    private workers: WorkerSet,
    private plan: ServingPlan | null,
  ) {
    this.#watch(workers);
  }

  /** @throws ESP_MODEL_LOAD_FAILED */
  static async open(parts: CrewParts, plan: ServingPlan | null): Promise<Crew> {
    return new Crew(parts, await openWorkers(parts, plan), plan);
  }

  /** Why no worker will come any more; null while there is hope. */
  get gone(): CodedError | null {
    return this.#gone;
  }

  get alive(): boolean {
    return this.#gone === null && this.workers.alive;
  }

  get idle(): boolean {
    return this.workers.seats.every(({ inFlight }) => inFlight === 0);
  }

  get count(): number {
    return this.workers.count;
  }

  get seats(): readonly Seat[] {
    return this.workers.seats;
  }

  /** The worker that can begin next with less than `depth` runs in hand; null when none can. */
  pick(depth: number): Seat | null {
    return this.workers.pick(depth);
  }

  /** Workers that have work. */
  get busy(): number {
    return this.workers.seats.filter(({ inFlight }) => inFlight > 0).length;
  }

  /** Says for how long workers may stay awake between batches. */
  stay(ms: number): void {
    for (const { worker } of this.workers.seats) worker.stay(ms);
  }

  /** Takes a run off a worker's hands. */
  finished(seat: Seat): void {
    seat.sinceMs = this.parts.now();
    seat.inFlight--;
    this.onFree();
    this.#wake();
  }

  /** Resolves when a run has ended or the workers have. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Lends an idle worker while nobody waits for one. What is done with it must be short. @throws why the workers ended */
  async borrow<T>(use: (worker: ModelWorker) => Promise<T>, isWanted: () => boolean): Promise<T> {
    const spare = (): Seat | null => (isWanted() ? null : this.pick(1));
    let seat = spare();
    for (; !seat; seat = spare()) {
      if (this.#gone) throw this.#gone;
      await this.changed();
    }
    const taken = seat;
    taken.inFlight++;
    taken.sinceMs = this.parts.now();
    try {
      return await use(taken.worker);
    } finally {
      this.finished(taken);
    }
  }

  /** Resolves when a thread answers: the model is neither dead nor stuck. @throws ESP_WORKER_GONE */
  async ping(): Promise<void> {
    const seat = this.pick(Number.POSITIVE_INFINITY);
    if (!seat) throw this.#gone ?? WorkerGone({ cause: 'it is being opened again' });
    await seat.worker.ping();
  }

  /** Opens workers as a plan says; those before finish what they have. False when the model was unloaded meanwhile. */
  async replace(plan: ServingPlan | null): Promise<boolean> {
    const after = await openWorkers(this.parts, plan);
    if (this.#gone) {
      await after.close();
      return false;
    }
    const before = this.workers;
    this.workers = after;
    this.plan = plan;
    this.#watch(after);
    before.onReady = before.onLost = () => undefined;
    void before.close();
    return true;
  }

  /** Lets what runs finish, then ends the threads. */
  async close(): Promise<void> {
    this.#end(WorkerGone({ cause: 'the model was unloaded' }), false);
    await this.workers.close();
  }

  #watch(workers: WorkerSet): void {
    workers.onReady = () => this.onFree();
    workers.onLost = (cause) => {
      if (this.plan?.runtime === undefined) this.#end(cause, true);
      else void this.#fallBack(this.plan, cause);
    };
  }

  /** Requests that come meanwhile wait, as they do for a worker that is opened again. */
  async #fallBack(lost: ServingPlan, cause: CodedError): Promise<void> {
    const plan = withoutRuntime(lost, cause.message);
    this.onFellBack(cause, lost);
    try {
      await this.replace(plan);
      this.onFree();
    } catch (error) {
      this.#end(error as CodedError, true);
    }
  }

  #end(cause: CodedError, wasLost: boolean): void {
    if (this.#gone) return;
    this.#gone = cause;
    this.onEnd(cause, wasLost);
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
