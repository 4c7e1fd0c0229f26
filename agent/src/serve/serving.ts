/** What this device serves: one model at a time, exchanged without a failed request. */
import type { CodedError } from '@espalier/proto';
import { type Log, silent } from '../common/log.js';
import { DeadlineExceeded, ModelNotLoaded, Overloaded, QueueFull, RequestInvalid, ShadowDiffers } from '../errors.js';
import { freeMemory } from '../hardware/free-memory.js';
import type { LatencyWindow } from '../measure/latency-window.js';
import { LiveQuality } from '../measure/live-quality.js';
import type { BenchmarkLimits, BenchmarkResult } from '../runtime/benchmark.js';
import type { InferOptions } from '../runtime/dispatcher.js';
import type { InferenceResult } from '../runtime/inference.js';
import type { ModelPool, PoolSettings } from '../runtime/model-pool.js';
import type { PreparedModels } from '../runtime/prepared.js';
import type { Tensors } from '../runtime/protocol.js';
import { countExits } from '../runtime/staged/exit-output.js';
import type { Tuner } from '../runtime/tuning/tuner.js';
import type { InputTensors, RawTensors } from '../runtime/values.js';
import { hashFile } from '../store/store.js';
import { type Candidate, fileCandidate, slotCandidate } from './candidate.js';
import { Opener } from './opener.js';
import { Shadow } from './shadow.js';

export interface Served extends Candidate {
  readonly pool: ModelPool;
}

export interface SwapOptions {
  /** A build that has not served here yet: it is compared with the old one on live requests, and must fit in memory. */
  readonly isTrial?: boolean;
}

export interface ServingParts {
  readonly log?: Log;
  readonly prepared?: PreparedModels;
  /** Memory that the process may still take. */
  readonly freeBytes?: () => number;
}

/** How often it is looked whether there is time to lay a model out. */
const QUIET_STEP_MS = 1000;

/** A request that was refused says something of the load or of the client, nothing of the model. */
const saysNothing = (error: unknown): boolean =>
  RequestInvalid.is(error) || QueueFull.is(error) || Overloaded.is(error) || DeadlineExceeded.is(error);

export class Serving {
  #served: Served | null = null;
  #shadow: Shadow | null = null;
  /** While the old model had to go before the new one: requests that come meanwhile wait for its end. */
  #gap: Promise<void> | null = null;
  readonly #opener: Opener;
  /** Latency of live requests since the last window was taken; null until a model was served. */
  live: LatencyWindow | null = null;
  /** What the model says; null until a classifier is served. */
  quality: LiveQuality | null = null;
  /** Since the start, both. */
  failures = 0;
  requests = 0;
  /** Resolves when the model that serves has been laid out for its next start; see prepared.ts. */
  preparing: Promise<void> = Promise.resolve();
  /** Called when another model serves, or none any more. */
  onChanged: () => void = () => undefined;
  /** Shown each answered request, whose memory may be used again after the call; it neither throws nor waits. */
  onAnswered: ((served: Served, feeds: InputTensors, outputs: RawTensors) => void) | null = null;
  /** Called when the thread of the model that serves has ended by itself. */
  onLost: (cause: CodedError) => void = () => undefined;

  constructor(
    private readonly settings: PoolSettings,
    /** Finds the best plan for what is served; without one, models run on one worker. */
    private readonly tuner: Tuner | null = null,
    { log = silent, prepared, freeBytes = freeMemory }: ServingParts = {},
  ) {
    this.#opener = new Opener({ settings, tuner, log, prepared: prepared ?? null, freeBytes });
  }

  get served(): Served | null {
    return this.#served;
  }

  get healthy(): boolean {
    return this.#served?.pool.alive ?? false;
  }

  /**
   * Serves a slot's model in the place of what serves; requests under way are answered by the old one, which then ends.
   * @throws ESP_MODEL_LOAD_FAILED, ESP_SELF_TEST_FAILED, ESP_SHADOW_DIFFERS, ESP_MEMORY_SHORT; the old model serves on
   */
  async swapToSlot(slot: string, options: SwapOptions = {}): Promise<Served> {
    return this.#swap(slotCandidate(slot), options);
  }

  /** Serves a file that no controller knows. @throws as {@link swapToSlot} */
  async swapToFile(file: string, name: string, options: SwapOptions = {}): Promise<Served> {
    const digest = this.tuner ? await hashFile(file, new AbortController().signal) : file;
    return this.#swap(fileCandidate(file, name, digest), options);
  }

  async #swap(next: Candidate, { isTrial = false }: SwapOptions): Promise<Served> {
    const before = this.#served;
    const way = this.#opener.way(next, before?.pool ?? null, isTrial);
    if (way === 'drain' && before) return this.#afterDraining(next, before);
    const narrow = way !== 'beside';
    const pool = await this.#opener.open(next, { narrow, isFirst: !before });
    if (isTrial && before) await this.#compareLive(next, pool, before);
    const served = await this.#flip(next, pool);
    await before?.pool.close();
    if (narrow) await this.#opener.widen(next, pool);
    return served;
  }

  /** The old model answers what it has and ends, then the new one is opened; what comes meanwhile waits. */
  async #afterDraining(next: Candidate, before: Served): Promise<Served> {
    let end = (): void => undefined;
    this.#gap = new Promise((resolve) => (end = resolve));
    this.tuner?.stop();
    try {
      await before.pool.close();
      const open = (model: Candidate) => this.#opener.open(model, { narrow: false, isFirst: true });
      const pool = await open(next).catch(async (error: unknown) => {
        await this.#flip(before, await open(before));
        throw error;
      });
      return await this.#flip(next, pool);
    } finally {
      this.#gap = null;
      end();
    }
  }

  /** @throws ESP_SHADOW_DIFFERS, with the new model closed */
  async #compareLive({ name, version, manifest }: Candidate, pool: ModelPool, before: Served): Promise<void> {
    // A model that was trained anew may well say something else, and another model does.
    if (name !== before.name || version !== before.version || !before.pool.alive) return;
    this.#shadow = new Shadow(pool);
    const cause = await this.#shadow.verdict(manifest?.labels != null);
    this.#shadow = null;
    if (!cause) return;
    await pool.close();
    throw ShadowDiffers({ cause });
  }

  async #flip(next: Candidate, pool: ModelPool): Promise<Served> {
    // Loaded with the first model: histograms weigh some megabytes, and a device may have nothing to serve.
    const { LatencyWindow } = await import('../measure/latency-window.js');
    const served = { ...next, pool };
    this.#served = served;
    this.live = new LatencyWindow();
    this.quality = LiveQuality.of(pool.outputs);
    pool.onGone = (cause) => this.#served === served && this.onLost(cause);
    this.onChanged();
    this.tuner?.watch(pool, next);
    this.#prepareLater(served);
    return served;
  }

  /** Once nothing waits and no plan is searched; a model that is gone by then is left alone. */
  #prepareLater(served: Served): void {
    const timer = setInterval(() => {
      if (this.#served !== served || !served.pool.alive) return clearInterval(timer);
      if (!served.pool.idle || this.tuner?.busy) return;
      clearInterval(timer);
      this.preparing = this.#opener.prepare(served);
    }, QUIET_STEP_MS).unref();
  }

  /** @throws ESP_MODEL_NOT_LOADED */
  model(name: string, version?: string): Served {
    if (this.#served?.name !== name || (version && version !== this.#served.version))
      throw ModelNotLoaded({ model: name });
    return this.#served;
  }

  /** One inference, timed from its arrival. */
  async infer(served: Served, feeds: InputTensors, options: InferOptions = {}): Promise<InferenceResult> {
    const { now } = this.settings;
    const { arrivedMs = now() } = options;
    this.requests++;
    let pool = served.pool;
    try {
      if (this.#gap) {
        await this.#gap;
        pool = this.model(served.name).pool;
      }
      const result = await pool.infer(feeds, { ...options, arrivedMs });
      const totalMs = now() - arrivedMs;
      this.live?.record(totalMs * 1000);
      this.quality?.see(result.outputs, now());
      pool.statistics.answered(totalMs, result.queueMs, result.runMs, Date.now());
      countExits(pool.statistics.exits, result.outputs);
      this.#shadow?.offer(feeds, result.outputs);
      if (this.onAnswered && this.#served?.pool === pool) this.onAnswered(this.#served, feeds, result.outputs);
      return result;
    } catch (error) {
      pool.statistics.failed(now() - arrivedMs);
      if (!saysNothing(error)) this.failures++;
      throw error;
    }
  }

  async benchmark(
    feeds: Tensors,
    limits: BenchmarkLimits,
  ): Promise<{ served: Served; result: BenchmarkResult } | null> {
    const served = this.#served;
    return served ? { served, result: await served.pool.benchmark(feeds, limits) } : null;
  }

  /** Serves nothing any more: there was nothing before the model that failed. */
  async unload(): Promise<void> {
    const before = this.#served;
    this.#served = null;
    this.tuner?.stop();
    this.onChanged();
    await before?.pool.close();
  }

  async close(): Promise<void> {
    this.onLost = () => undefined;
    this.tuner?.stop();
    await this.#served?.pool.close();
  }
}
