/** One loaded model: requests wait, are put together into batches as the learnt curve says, and run on its workers. */
import type { CodedError, SessionOptions, TensorSpec } from '@espalier/proto';
import { DeadlineExceeded, Overloaded, QueueFull, WorkerGone } from '../errors.js';
import { admit } from './batching/admission.js';
import type { LatencyCurve } from './batching/latency-curve.js';
import { nextDispatch } from './batching/next-dispatch.js';
import { type Priority, RequestQueue } from './batching/request-queue.js';
import { type BenchmarkLimits, type BenchmarkResult, benchmark } from './benchmark.js';
import { type InferenceResult, type Pending, runBatch } from './inference.js';
import { type BatchLayout, layoutOf, rowsOfRequest } from './layout.js';
import type { ModelWorker } from './model-worker.js';
import { Pace } from './pace.js';
import { PoolStatistics } from './pool-statistics.js';
import { probeFeeds } from './probe-feeds.js';
import type { Tensors } from './protocol.js';
import { type ServingPlan, withPlan } from './serving-plan.js';
import { SlabPool } from './slabs.js';
import { fromRaw, type InputTensors, sizeOf, toRaw } from './values.js';
import { type Seat, WorkerSet } from './worker-set.js';

export interface PoolSettings {
  readonly queueLimit: number;
  readonly queueBytes: number;
  /** Milliseconds in which a request is to be answered when it does not say so itself; null for no limit. */
  readonly latencyLimitMs: number | null;
  readonly hangLimitMs: number;
  readonly now: () => number;
  readonly script?: URL;
}

export interface InferOptions {
  readonly arrivedMs?: number;
  readonly deadlineMs?: number;
  readonly priority?: Priority;
}

const AGEING_MS = 2000;
/**
 * Of the limit that holds for requests without a time of their own. The rest is for what the pool does not see: the way
 * there and back, and the time until the event loop has read the request. On a busy two-core machine 0.8 answered 10 points
 * more of the requests within the limit, as their clients saw it, than 1; 0.6 was no better.
 */
const OWN_SHARE = 0.8;
/** Milliseconds for which a measurement may hold a worker back from requests. */
const SLICE_MS = 25;

export class ModelPool {
  readonly layout: BatchLayout | null;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly statistics = new PoolStatistics();
  readonly #queue: RequestQueue<Pending>;
  readonly #slabs: SlabPool | null;
  readonly #pace: Pace;
  #running = 0;
  #gone: CodedError | null = null;
  /** Who waits for a worker that no request needs, or for the end of all work. */
  readonly #lenders: (() => void)[] = [];
  #timer: NodeJS.Timeout | null = null;
  /** Called once, when the model cannot be served any more. */
  onGone: (cause: CodedError) => void = () => undefined;

  private constructor(
    readonly file: string,
    readonly options: SessionOptions,
    readonly settings: PoolSettings,
    private workers: WorkerSet,
  ) {
    const { inputs, outputs } = workers.seats[0]!.worker;
    this.inputs = inputs;
    this.outputs = outputs;
    this.layout = layoutOf(inputs, outputs);
    this.#pace = new Pace(settings.latencyLimitMs);
    this.#slabs = this.layout && new SlabPool(this.layout, this.#pace.rungs);
    const { queueLimit: count, queueBytes: bytes } = settings;
    this.#queue = new RequestQueue({ count, bytes, ageingMs: AGEING_MS });
    this.#watch(workers);
  }

  /** Opens a model on workers of its own, as a plan says or on one worker. @throws ESP_MODEL_LOAD_FAILED */
  static async open(
    file: string,
    options: SessionOptions,
    settings: PoolSettings,
    plan: ServingPlan | null = null,
  ): Promise<ModelPool> {
    const pool = new ModelPool(file, options, settings, await openWorkers(file, options, settings, plan));
    if (plan) pool.#adopt(plan);
    return pool;
  }

  get alive(): boolean {
    return this.#gone === null && this.workers.alive;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** True while nothing waits or runs. */
  get idle(): boolean {
    return (
      this.#queue.length === 0 && this.#running === 0 && this.workers.seats.every(({ inFlight }) => inFlight === 0)
    );
  }

  /** The session options in use: those the model came with, and what the plan has put in their place. */
  get sessionOptions(): SessionOptions {
    return withPlan(this.options, this.#pace.plan);
  }

  get plan(): ServingPlan | null {
    return this.#pace.plan;
  }

  get optimalBatch(): number {
    return this.#pace.optimal;
  }

  /** Rows that may run together; 0 for a model whose tensors have no batch axis at all. */
  get largestBatch(): number {
    return this.layout ? this.#pace.largest : 0;
  }

  get curve(): LatencyCurve | null {
    return this.#pace.curve;
  }

  /** @throws ESP_QUEUE_FULL, ESP_OVERLOADED, ESP_DEADLINE_EXCEEDED, ESP_INFERENCE_FAILED, ESP_WORKER_GONE */
  infer(feeds: InputTensors, options: InferOptions = {}): Promise<InferenceResult> {
    if (this.#gone) return Promise.reject(this.#gone);
    const { now, latencyLimitMs, queueLimit } = this.settings;
    const nowMs = now();
    const { arrivedMs = nowMs, priority = 'normal' } = options;
    const deadlineMs =
      options.deadlineMs ??
      (latencyLimitMs === null ? Number.POSITIVE_INFINITY : arrivedMs + OWN_SHARE * latencyLimitMs);
    const rows = (this.layout && rowsOfRequest(this.layout, feeds)) ?? 1;
    this.#pace.arrived(nowMs, rows);
    const refused = this.#refuse(rows, deadlineMs, nowMs);
    if (refused) return Promise.reject(refused);
    const bytes = Object.values(feeds).reduce((sum, tensor) => sum + sizeOf(tensor), 0);
    return new Promise((resolve, reject) => {
      const pending: Pending = { feeds, rows, bytes, deadlineMs, priority, arrivedMs, resolve, reject };
      if (!this.#queue.push(pending)) return reject(QueueFull({ limit: queueLimit }));
      this.#pump();
    });
  }

  /** One inference on typed values; the answer is the caller's own. @throws as {@link infer} */
  async run(feeds: Tensors): Promise<Tensors> {
    const { outputs, release } = await this.infer(toRaw(feeds), { deadlineMs: Number.POSITIVE_INFINITY });
    const own = fromRaw(outputs);
    release();
    return own;
  }

  /** Single-stream latency on one worker, in slices between which live requests come first. */
  benchmark(feeds: Tensors, limits: BenchmarkLimits): Promise<BenchmarkResult> {
    const { now } = this.settings;
    const timed = async (runs: number): Promise<number[]> => {
      const timesUs: number[] = [];
      while (timesUs.length < runs) {
        const slice = Math.min(
          runs - timesUs.length,
          Math.ceil(SLICE_MS / (this.#pace.curve?.latencyMs(1) ?? SLICE_MS)),
        );
        const timesMs = await this.borrow((worker) => worker.measure(feeds, slice, 0));
        timesUs.push(...timesMs.map((ms) => ms * 1000));
      }
      return timesUs;
    };
    return benchmark(timed, limits, now);
  }

  /** Runs every batch size in use once on every worker: the first run of a size is slower than all that follow. */
  async warm(sizes: readonly number[] = this.#pace.rungs): Promise<void> {
    const { layout } = this;
    if (!layout) return;
    for (const size of sizes) {
      const feeds = probeFeeds(layout, 0, size);
      // A model that made-up values break has nothing to warm up with; requests will tell.
      await Promise.all(this.workers.seats.map(({ worker }) => worker.run(feeds))).catch(() => undefined);
    }
  }

  /** Lends a worker when no request needs it. What is done with it must be short: requests wait for it. */
  async borrow<T>(use: (worker: ModelWorker) => Promise<T>): Promise<T> {
    let seat = this.#spare();
    for (; !seat; seat = this.#spare()) {
      if (this.#gone) throw this.#gone;
      await new Promise<void>((resolve) => this.#lenders.push(resolve));
    }
    const taken = seat;
    taken.inFlight++;
    taken.sinceMs = this.settings.now();
    try {
      return await use(taken.worker);
    } finally {
      this.#finished(taken);
    }
  }

  /** Resolves when a thread answers: the model is neither dead nor stuck. */
  async ping(): Promise<void> {
    const seat = this.workers.pick(Number.POSITIVE_INFINITY);
    if (!seat) throw this.#gone ?? WorkerGone({ cause: 'it is being opened again' });
    await seat.worker.ping();
  }

  /** Serves as a plan says from now on: new workers are opened beside the old ones, which finish what they have. */
  async adopt(plan: ServingPlan): Promise<void> {
    const { workers, threads, spin } = this.#pace.plan ?? { workers: 0, threads: 0, spin: false };
    const isSame = plan.workers === workers && plan.threads === threads && plan.spin === spin;
    if (!isSame && !(await this.#replaceWorkers(plan))) return;
    this.#adopt(plan);
    this.#pump();
  }

  /** Opens the sessions again: what their arenas have kept of a burst goes back to the system. */
  async recycle(): Promise<void> {
    if (await this.#replaceWorkers(this.#pace.plan)) this.#slabs?.reset(this.#pace.rungs);
    this.#pump();
  }

  /** Answers what waits, then ends the threads. */
  async close(): Promise<void> {
    while (!this.idle && !this.#gone) await new Promise<void>((resolve) => this.#lenders.push(resolve));
    this.#end(WorkerGone({ cause: 'the model was unloaded' }));
    await this.workers.close();
  }

  /** False when the model was unloaded meanwhile. The workers before finish what they have. */
  async #replaceWorkers(plan: ServingPlan | null): Promise<boolean> {
    const after = await openWorkers(this.file, this.options, this.settings, plan);
    if (this.#gone) {
      await after.close();
      return false;
    }
    const before = this.workers;
    this.workers = after;
    this.#watch(after);
    before.onReady = before.onLost = () => undefined;
    void before.close();
    return true;
  }

  #adopt(plan: ServingPlan): void {
    this.#pace.adopt(plan);
    this.#slabs?.reset(this.#pace.rungs);
  }

  #watch(workers: WorkerSet): void {
    workers.onReady = () => this.#pump();
    workers.onLost = (cause) => {
      this.#end(cause);
      this.onGone(cause);
    };
  }

  #spare(): Seat | null {
    return this.#queue.length === 0 ? this.workers.pick(1) : null;
  }

  #finished(seat: Seat): void {
    seat.sinceMs = this.settings.now();
    seat.inFlight--;
    this.#pump();
    for (const lend of this.#lenders.splice(0)) lend();
  }

  #refuse(rows: number, deadlineMs: number, nowMs: number): CodedError | null {
    if (!this.#pace.curve || deadlineMs === Number.POSITIVE_INFINITY || this.#queue.length === 0) return null;
    const load = { backlogRows: this.#queue.rows, workers: this.workers.count, optimal: this.#pace.optimal };
    const admission = admit({ rows, deadlineMs }, this.#pace.curve, load, nowMs);
    return admission.ok ? null : Overloaded({ retryAfterMs: admission.retryAfterMs });
  }

  /** Gives work to workers while there is both. */
  #pump(): void {
    while (this.#queue.length > 0 && this.#dispatch());
  }

  /** One decision; false when there is nothing more to do now. */
  #dispatch(): boolean {
    const seat = this.workers.pick(this.#pace.depth(this.#queue.rows));
    if (!seat) return false;
    const nowMs = this.settings.now();
    const startMs = seat.inFlight > 0 ? Math.max(nowMs, seat.freeAtMs) : nowMs;
    const lead = this.#queue.lead(2 * this.#pace.largest, nowMs);
    const curve = this.#pace.curve;
    if (!curve) {
      this.#start(seat, lead.slice(0, 1), nowMs);
      return true;
    }
    const { drop, take, waitUntilMs } = nextDispatch(lead, curve, startMs, this.#pace.limits);
    this.#queue.remove(drop, false);
    for (const request of drop) request.reject(DeadlineExceeded({ waitedMs: Math.round(nowMs - request.arrivedMs) }));
    this.statistics.dropped += drop.length;
    if (take.length > 0) this.#start(seat, take, nowMs);
    else if (waitUntilMs !== null) this.#wakeAt(waitUntilMs - nowMs);
    return take.length > 0 || drop.length > 0;
  }

  #start(seat: Seat, take: readonly Pending[], nowMs: number): void {
    this.#queue.remove(take, true);
    const rows = take.reduce((sum, request) => sum + request.rows, 0);
    const beginMs = seat.inFlight > 0 ? Math.max(nowMs, seat.freeAtMs) : nowMs;
    if (seat.inFlight++ === 0) seat.sinceMs = nowMs;
    seat.freeAtMs = beginMs + (this.#pace.curve?.latencyMs(rows) ?? 0);
    this.#running++;
    const { now } = this.settings;
    void runBatch(seat, take, { slabs: this.#slabs, largest: this.#pace.largest, now }).then(() => {
      const doneMs = now();
      this.#pace.record(rows, doneMs - Math.max(nowMs, seat.sinceMs));
      this.statistics.batch(rows, doneMs - nowMs);
      this.#running--;
      this.#finished(seat);
    });
  }

  #wakeAt(inMs: number): void {
    if (this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#pump();
    }, inMs);
  }

  #end(cause: CodedError): void {
    if (this.#gone) return;
    this.#gone = cause;
    if (this.#timer) clearTimeout(this.#timer);
    for (const { reject } of this.#queue.clear()) reject(cause);
    for (const lend of this.#lenders.splice(0)) lend();
  }
}

export const openWorkers = (
  file: string,
  options: SessionOptions,
  { hangLimitMs, now, script }: PoolSettings,
  plan: ServingPlan | null,
): Promise<WorkerSet> =>
  WorkerSet.open({
    ...{ file, options: withPlan(options, plan), count: plan?.workers ?? 1, hangLimitMs, now },
    ...(script ? { script } : {}),
  });
