/** What this device serves: one model at a time, exchanged without a failed request. */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type CodedError, type Manifest, SessionOptions, SignedManifest } from '@espalier/proto';
import { ModelNotLoaded, QueueFull } from '../errors.js';
import { LatencyWindow } from '../measure/latency-window.js';
import { ModelWorker } from '../runtime/model-worker.js';
import type { BenchmarkPlan, BenchmarkResult, Tensors } from '../runtime/protocol.js';

export interface Served {
  readonly name: string;
  readonly version: string;
  /** Digest of the artifact; null for a local file. */
  readonly digest: string | null;
  readonly manifest: Manifest | null;
  readonly options: SessionOptions;
  readonly worker: ModelWorker;
}

export class Serving {
  #served: Served | null = null;
  /** Latency of live requests since the last window was taken. */
  live = new LatencyWindow();
  /** Since the start, both. */
  failures = 0;
  requests = 0;
  /** Called when another model serves, or none any more. */
  onChanged: () => void = () => undefined;
  /** Called when the thread of the model that serves has ended by itself. */
  onLost: (cause: CodedError) => void = () => undefined;

  constructor(
    private readonly queueLimit: number,
    private readonly now: () => number,
  ) {}

  get served(): Served | null {
    return this.#served;
  }

  get healthy(): boolean {
    return this.#served?.worker.alive ?? false;
  }

  /** Loads a slot beside what serves, then flips; requests under way are answered by the old one, which then ends. */
  async swapToSlot(slot: string): Promise<Served> {
    const { manifest } = SignedManifest.parse(JSON.parse(readFileSync(path.join(slot, 'manifest.json'), 'utf8')));
    const options = manifest.runtime.sessionOptions;
    const worker = await ModelWorker.open(path.join(slot, manifest.entry), options, this.queueLimit);
    return this.#flip({
      name: manifest.model.name,
      version: manifest.model.version,
      digest: path.basename(slot),
      manifest,
      options,
      worker,
    });
  }

  /** Serves a file that no controller knows. */
  async swapToFile(file: string, name: string): Promise<Served> {
    const options = SessionOptions.parse({});
    const worker = await ModelWorker.open(file, options, this.queueLimit);
    return this.#flip({ name, version: '1', digest: null, manifest: null, options, worker });
  }

  async #flip(next: Served): Promise<Served> {
    const before = this.#served;
    this.#served = next;
    this.live = new LatencyWindow();
    next.worker.onGone = (cause) => this.#served === next && this.onLost(cause);
    this.onChanged();
    await before?.worker.close();
    return next;
  }

  /** @throws ESP_MODEL_NOT_LOADED */
  model(name: string): Served {
    if (this.#served?.name !== name) throw ModelNotLoaded({ model: name });
    return this.#served;
  }

  /** One inference, timed from its arrival. */
  async infer(served: Served, feeds: Tensors, arrivedMs = this.now()): Promise<Tensors> {
    this.requests++;
    try {
      const outputs = await served.worker.run(feeds);
      this.live.record((this.now() - arrivedMs) * 1000);
      return outputs;
    } catch (error) {
      // A queue that is full says something of the load, nothing of the model.
      if (!QueueFull.is(error)) this.failures++;
      throw error;
    }
  }

  async benchmark(plan: BenchmarkPlan): Promise<{ served: Served; result: BenchmarkResult } | null> {
    const served = this.#served;
    return served ? { served, result: await served.worker.benchmark(plan) } : null;
  }

  /** Serves nothing any more: there was nothing before the model that failed. */
  async unload(): Promise<void> {
    const before = this.#served;
    this.#served = null;
    this.onChanged();
    await before?.worker.close();
  }

  async close(): Promise<void> {
    this.onLost = () => undefined;
    await this.#served?.worker.close();
  }
}
