/** Keeps each model on its best plan: the one stored for this device, else a search while the device has nothing to do. */
import type { Facts } from '@espalier/proto';
import type { Log } from '../../common/log.js';
import { RuntimeFellBack } from '../../errors.js';
import type { ModelPool } from '../model-pool.js';
import type { OtherRuntime } from '../others.js';
import { type ServingPlan, withoutRuntime } from '../serving-plan.js';
import { onnxRuntimeVersion } from '../version.js';
import type { Check } from './admit.js';
import { candidates, cpuBudget, fastCpus } from './candidates.js';
import type { PlanKey, PlanStore } from './plan-store.js';
import { tune } from './tune.js';

/** A model that is looked after: what opens it, and what its answers must be. */
export interface Tuned {
  readonly planDigest: string;
  readonly options: PlanKey['options'];
  readonly others: readonly OtherRuntime[];
  readonly check: Check;
}

export interface TunerParts {
  readonly store: PlanStore;
  readonly cpu: Facts['cpu'];
  /** Milliseconds of a search; 0 searches nothing and uses only what is stored. */
  readonly limitMs: number;
  /** Milliseconds for which a model is served as it came before its first search. */
  readonly afterMs: number;
  readonly largestBatch: number;
  readonly latencyLimitMs: number | null;
  readonly log: Log;
}

const QUIET_MS = 200;
const QUIET_STEP_MS = 50;
const CHECK_MS = 60_000;
/** So much off for so many checks is not a passing load: the device has changed. */
const DRIFTED = 1.5;
const DRIFTED_CHECKS = 5;

export class Tuner {
  #search = new AbortController();
  #busy = Promise.resolve();
  #searches = 0;

  constructor(private readonly parts: TunerParts) {}

  /** The plan found earlier for this model on this device, if there is one. */
  stored(model: Tuned): ServingPlan | null {
    return this.parts.store.read(this.#key(model));
  }

  /** Keeps and tells that another runtime has failed: the model is served by ONNX Runtime from now on. */
  fellBack(model: Tuned, lost: ServingPlan, cause: string): ServingPlan | null {
    const plan = withoutRuntime(lost, cause);
    const { code, message } = RuntimeFellBack({ runtime: lost.runtime ?? 'the runtime', cause });
    this.parts.log.warn({ code, error: message }, 'another runtime failed');
    if (plan) this.parts.store.write(this.#key(model), plan);
    return plan;
  }

  /** Looks after a model from now on, and no longer after the one before. */
  watch(pool: ModelPool, model: Tuned): void {
    this.stop();
    const { signal } = this.#search;
    if (!pool.plan) this.#beginLater(pool, model, signal);
    pool.onFellBack = (cause, lost) => void this.fellBack(model, lost, cause.message);
    let drifted = 0;
    const check = setInterval(() => {
      const drift = pool.curve?.drift ?? 1;
      drifted = drift > DRIFTED || drift < 1 / DRIFTED ? drifted + 1 : 0;
      if (drifted < DRIFTED_CHECKS) return;
      drifted = 0;
      this.parts.log.info({ drift }, 'the device has changed its pace: the best plan is searched again');
      this.#begin(pool, model, signal);
    }, CHECK_MS).unref();
    signal.addEventListener('abort', () => clearInterval(check), { once: true });
  }

  /** Ends a search that is under way. */
  stop(): void {
    this.#search.abort();
    this.#search = new AbortController();
  }

  /** True while a search is under way. */
  get busy(): boolean {
    return this.#searches > 0;
  }

  /** Resolves when no search is under way. */
  async settled(): Promise<void> {
    await this.#busy;
  }

  #beginLater(pool: ModelPool, model: Tuned, signal: AbortSignal): void {
    const { afterMs } = this.parts;
    const begin = (): void => this.#begin(pool, model, signal);
    if (afterMs === 0) begin();
    const timer = afterMs > 0 ? setTimeout(begin, afterMs).unref() : undefined;
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  }

  #begin(pool: ModelPool, model: Tuned, signal: AbortSignal): void {
    if (this.parts.limitMs === 0) return;
    this.#searches++;
    this.#busy = this.#improve(pool, model, signal)
      .catch((error: Error) => {
        if (!signal.aborted) this.parts.log.warn({ error: error.message }, 'no better plan was found');
      })
      .finally(() => this.#searches--);
  }

  async #improve(pool: ModelPool, model: Tuned, signal: AbortSignal): Promise<void> {
    const { cpu, limitMs, largestBatch, store, log } = this.parts;
    const { plan: before } = pool;
    // All runtimes are measured against ONNX Runtime, in batches too.
    if (before?.otherwise) await pool.adopt(before.otherwise);
    const setups = candidates(cpuBudget(cpu), fastCpus(cpu.clusters));
    const refused = { ...before?.refused };
    const { check } = model;
    const plan = await tune(pool, { setups, largestBatch, limitMs, refused, check, quiet: () => quiet(pool, signal) });
    this.#tellRefused(refused, before?.refused ?? {});
    if (!plan || signal.aborted) return;
    await pool.adopt(plan);
    store.write(this.#key(model), plan);
    log.info({ plan, runtime: pool.runtime, optimalBatch: pool.optimalBatch }, 'the best plan was found');
  }

  #tellRefused(refused: Readonly<Record<string, string>>, before: Readonly<Record<string, string>>): void {
    for (const [runtime, cause] of Object.entries(refused)) {
      if (before[runtime] !== undefined) continue;
      const { code, message } = RuntimeFellBack({ runtime, cause });
      this.parts.log.warn({ code, error: message }, 'another runtime is not used');
    }
  }

  #key({ planDigest: modelDigest, options, others }: Omit<Tuned, 'check'>): PlanKey {
    const { cpu, latencyLimitMs } = this.parts;
    const name = [cpu.model, cpu.implementer, ...cpu.parts].filter(Boolean).join(' ');
    return {
      ...{ modelDigest, options, runtime: onnxRuntimeVersion(), cpu: name, cpus: cpuBudget(cpu), latencyLimitMs },
      ...(others.length > 0 ? { others: others.map(({ adapter, version }) => `${adapter} ${version}`) } : {}),
    };
  }
}

/** Resolves when a model has had nothing to do for a moment; rejects when the search was ended. */
async function quiet(pool: ModelPool, signal: AbortSignal): Promise<void> {
  for (let quietMs = 0; quietMs < QUIET_MS; quietMs = pool.idle ? quietMs + QUIET_STEP_MS : 0) {
    signal.throwIfAborted();
    if (!pool.alive) throw new Error('the model is not served any more');
    await new Promise((resolve) => setTimeout(resolve, QUIET_STEP_MS).unref());
  }
}
