/** What this device serves: one model at a time, exchanged without a failed request. */

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type CodedError, type Manifest, SessionOptions, SignedManifest } from '@espalier/proto';
import { DeadlineExceeded, ModelNotLoaded, Overloaded, QueueFull, RequestInvalid, SelfTestFailed } from '../errors.js';
import type { LatencyWindow } from '../measure/latency-window.js';
import type { BenchmarkLimits, BenchmarkResult } from '../runtime/benchmark.js';
import type { InferOptions } from '../runtime/dispatcher.js';
import { checkCase, readGolden } from '../runtime/golden.js';
import type { InferenceResult } from '../runtime/inference.js';
import { ModelPool, type PoolSettings } from '../runtime/model-pool.js';
import type { Tensors } from '../runtime/protocol.js';
import type { Tuner } from '../runtime/tuning/tuner.js';
import type { InputTensors } from '../runtime/values.js';
import { hashFile } from '../store/store.js';

export interface Served {
  readonly name: string;
  readonly version: string;
  /** Digest of the artifact; null for a local file. */
  readonly digest: string | null;
  readonly manifest: Manifest | null;
  readonly options: SessionOptions;
  readonly pool: ModelPool;
}

/** A request that was refused says something of the load or of the client, nothing of the model. */
const saysNothing = (error: unknown): boolean =>
  RequestInvalid.is(error) || QueueFull.is(error) || Overloaded.is(error) || DeadlineExceeded.is(error);

/** What a golden case through the pool that is about to serve shows to be wrong, in words, or null. */
async function parity(pool: ModelPool, slot: string, manifest: Manifest): Promise<string | null> {
  if (!existsSync(path.join(slot, manifest.golden.path))) return null;
  const [first] = readGolden(slot, manifest);
  return first ? checkCase(pool, first, manifest) : null;
}

export class Serving {
  #served: Served | null = null;
  /** Latency of live requests since the last window was taken; null until a model was served. */
  live: LatencyWindow | null = null;
  /** Since the start, both. */
  failures = 0;
  requests = 0;
  /** Called when another model serves, or none any more. */
  onChanged: () => void = () => undefined;
  /** Called when the thread of the model that serves has ended by itself. */
  onLost: (cause: CodedError) => void = () => undefined;

  constructor(
    private readonly settings: PoolSettings,
    /** Finds the best plan for what is served; without one, models run on one worker. */
    private readonly tuner: Tuner | null = null,
  ) {}

  get served(): Served | null {
    return this.#served;
  }

  get healthy(): boolean {
    return this.#served?.pool.alive ?? false;
  }

  /** Loads a slot beside what serves, then flips; requests under way are answered by the old one, which then ends. */
  async swapToSlot(slot: string): Promise<Served> {
    const { manifest } = SignedManifest.parse(JSON.parse(readFileSync(path.join(slot, 'manifest.json'), 'utf8')));
    const options = manifest.runtime.sessionOptions;
    const pool = await this.#open(path.join(slot, manifest.entry), options, path.basename(slot));
    const cause = await parity(pool, slot, manifest);
    if (cause) {
      await pool.close();
      throw SelfTestFailed({ cause });
    }
    return this.#flip(path.basename(slot), {
      name: manifest.model.name,
      version: manifest.model.version,
      digest: path.basename(slot),
      manifest,
      options,
      pool,
    });
  }

  /** Serves a file that no controller knows. */
  async swapToFile(file: string, name: string): Promise<Served> {
    const options = SessionOptions.parse({});
    const digest = this.tuner ? await hashFile(file, new AbortController().signal) : file;
    const pool = await this.#open(file, options, digest);
    return this.#flip(digest, { name, version: '1', digest: null, manifest: null, options, pool });
  }

  /** Opens beside what serves, and warmed up: nobody waits for a model's first run. A device that serves nothing hurries. */
  async #open(file: string, options: SessionOptions, modelDigest: string): Promise<ModelPool> {
    const plan = this.tuner?.stored(modelDigest, options) ?? null;
    const pool = await ModelPool.open(file, options, this.settings, plan);
    await pool.warm(this.#served ? undefined : [1]);
    return pool;
  }

  async #flip(modelDigest: string, next: Served): Promise<Served> {
    // Loaded with the first model: histograms weigh some megabytes, and a device may have nothing to serve.
    const { LatencyWindow } = await import('../measure/latency-window.js');
    const before = this.#served;
    this.#served = next;
    this.live = new LatencyWindow();
    next.pool.onGone = (cause) => this.#served === next && this.onLost(cause);
    this.onChanged();
    this.tuner?.watch(next.pool, modelDigest);
    await before?.pool.close();
    return next;
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
    try {
      const result = await served.pool.infer(feeds, { ...options, arrivedMs });
      const totalMs = now() - arrivedMs;
      this.live?.record(totalMs * 1000);
      served.pool.statistics.answered(totalMs, result.queueMs, result.runMs, Date.now());
      return result;
    } catch (error) {
      served.pool.statistics.failed(now() - arrivedMs);
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
