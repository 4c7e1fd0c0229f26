/** One loaded model: its requests are put together into batches as the learnt curve says, and run on its workers. */
import type { CodedError, SessionOptions, TensorSpec } from '@espalier/proto';
import type { LatencyCurve } from './batching/latency-curve.js';
import { type BenchmarkLimits, type BenchmarkResult, benchmark } from './benchmark.js';
import { Crew } from './crew.js';
import { Dispatcher, type InferOptions, type QueueSettings } from './dispatcher.js';
import type { InferenceResult } from './inference.js';
import { type BatchLayout, layoutOf } from './layout.js';
import type { ModelWorker } from './model-worker.js';
import { type OtherRuntime, type RuntimeName, runtimeOf } from './others.js';
import { Pace } from './pace.js';
import { PoolStatistics } from './pool-statistics.js';
import { probeFeeds } from './probe-feeds.js';
import type { Tensors } from './protocol.js';
import { isSameSetup, type ServingPlan, withoutRuntime, withPlan } from './serving-plan.js';
import { SlabPool } from './slabs.js';
import { fromRaw, type InputTensors, toRaw } from './values.js';

export interface PoolSettings extends QueueSettings {
  /** A run that takes longer hangs; milliseconds. */
  readonly hangLimitMs: number;
  readonly script?: URL;
}

/** Milliseconds for which a measurement may hold a worker back from requests. */
const SLICE_MS = 25;

export class ModelPool {
  readonly layout: BatchLayout | null;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly statistics = new PoolStatistics();
  readonly #slabs: SlabPool | null;
  readonly #pace: Pace;
  readonly #own: RuntimeName;
  readonly #dispatcher: Dispatcher;
  /** Called once, when the model cannot be served any more. */
  onGone: (cause: CodedError) => void = () => undefined;
  /** Called when the runtime of a plan has failed and ONNX Runtime has taken its place. */
  onFellBack: (cause: CodedError, lost: ServingPlan) => void = () => undefined;

  private constructor(
    readonly file: string,
    readonly options: SessionOptions,
    readonly settings: PoolSettings,
    private readonly crew: Crew,
    /** The same network for other runtimes. */
    readonly others: readonly OtherRuntime[],
    adapter: string | undefined,
  ) {
    const { inputs, outputs } = others.find((one) => one.adapter === adapter) ?? crew.seats[0]!.worker;
    this.inputs = inputs;
    this.outputs = outputs;
    this.layout = layoutOf(inputs, outputs);
    this.#own = runtimeOf(file);
    const pace = new Pace(settings.latencyLimitMs);
    const slabs = this.layout && new SlabPool(this.layout, pace.rungs);
    this.#pace = pace;
    this.#slabs = slabs;
    const dispatcher = new Dispatcher(settings, {
      ...{ crew, pace, slabs, statistics: this.statistics },
      threads: options.intraOpNumThreads || settings.cpus,
    });
    this.#dispatcher = dispatcher;
    crew.onFree = () => dispatcher.pump();
    crew.onEnd = (cause, wasLost) => {
      dispatcher.end(cause);
      if (wasLost) this.onGone(cause);
    };
    crew.onFellBack = (cause, lost) => {
      const plan = withoutRuntime(lost, cause.message);
      if (plan) this.#adopt(plan);
      else pace.forget();
      this.onFellBack(cause, lost);
    };
  }

  /** Opens a model on workers of its own, as a plan says or on one worker. @throws ESP_MODEL_LOAD_FAILED */
  static async open(
    file: string,
    options: SessionOptions,
    settings: PoolSettings,
    plan: ServingPlan | null = null,
    others: readonly OtherRuntime[] = [],
  ): Promise<ModelPool> {
    const crew = await Crew.open({ file, others, options, ...settings }, plan);
    const pool = new ModelPool(file, options, settings, crew, others, plan?.runtime);
    if (plan) pool.#adopt(plan);
    return pool;
  }

  get alive(): boolean {
    return this.crew.alive;
  }

  get queued(): number {
    return this.#dispatcher.queued;
  }

  /** True while nothing waits or runs. */
  get idle(): boolean {
    return this.#dispatcher.idle && this.crew.idle;
  }

  /** The session options in use: those the model came with, and what the plan has put in their place. */
  get sessionOptions(): SessionOptions {
    return withPlan(this.options, this.#pace.plan);
  }

  /** The runtime that serves. */
  get runtime(): RuntimeName {
    const { adapter, version } = this.others.find((one) => one.adapter === this.plan?.runtime) ?? this.#own;
    return { adapter, version };
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
    return this.#dispatcher.infer(feeds, options);
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
      await Promise.all(this.crew.seats.map(({ worker }) => worker.run(feeds))).catch(() => undefined);
    }
  }

  /** Lends a worker when no request needs it. What is done with it must be short: requests wait for it. */
  borrow<T>(use: (worker: ModelWorker) => Promise<T>): Promise<T> {
    return this.crew.borrow(use, () => this.#dispatcher.queued > 0);
  }

  /** Resolves when a thread answers: the model is neither dead nor stuck. */
  ping(): Promise<void> {
    return this.crew.ping();
  }

  /** Serves as a plan says from now on: new workers are opened beside the old ones, which finish what they have. */
  async adopt(plan: ServingPlan): Promise<void> {
    if (!isSameSetup(plan, this.#pace.plan) && !(await this.crew.replace(plan))) return;
    this.#adopt(plan);
    this.#dispatcher.pump();
  }

  /** Opens the sessions again: what their arenas have kept of a burst goes back to the system. */
  async recycle(): Promise<void> {
    if (await this.crew.replace(this.#pace.plan)) this.#slabs?.reset(this.#pace.rungs);
    this.#dispatcher.pump();
  }

  /** Answers what waits, then ends the threads. */
  async close(): Promise<void> {
    while (!this.idle && !this.crew.gone) await this.crew.changed();
    await this.crew.close();
  }

  #adopt(plan: ServingPlan): void {
    this.#pace.adopt(plan);
    this.#slabs?.reset(this.#pace.rungs);
  }
}
