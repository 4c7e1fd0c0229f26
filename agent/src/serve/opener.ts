/** Opens models for service: within the memory there is, warmed up, and proven on a golden case. */
import type { Log } from '../common/log.js';
import { MemoryShort, SelfTestFailed } from '../errors.js';
import { canBeLaidOut } from '../runtime/model-kind.js';
import { ModelPool, type PoolSettings } from '../runtime/model-pool.js';
import type { PreparedModels } from '../runtime/prepared.js';
import type { ServingPlan } from '../runtime/serving-plan.js';
import type { Tuner } from '../runtime/tuning/tuner.js';
import type { Candidate } from './candidate.js';
import { MemoryPrediction, modelBytes, type SwapWay, swapWay } from './swap-memory.js';

export interface OpenerParts {
  readonly settings: PoolSettings;
  /** Knows the plans that were found earlier; without one, models run on one worker. */
  readonly tuner: Tuner | null;
  readonly log: Log;
  /** Models as this device lays them out; without it, each opening packs the weights anew. */
  readonly prepared: PreparedModels | null;
  /** Memory that the process may still take. */
  readonly freeBytes: () => number;
}

const megabytes = (bytes: number): number => Math.round(bytes / 1e6);
const sessionsOf = (plan: ServingPlan | null): number => plan?.workers ?? 1;

export class Opener {
  readonly #prediction = new MemoryPrediction();

  constructor(private readonly parts: OpenerParts) {}

  /**
   * How a model can take the place of the one that serves. One that is only tried is refused where even an empty device has
   * no room for it; what has served here before is opened all the same, for there is nothing better.
   * @throws ESP_MEMORY_SHORT
   */
  way(next: Candidate, before: ModelPool | null, isTrial: boolean): Exclude<SwapWay, 'refuse'> {
    if (!before?.alive) return 'beside';
    const bytes = this.#bytes(next.file);
    const memory = {
      freeBytes: this.parts.freeBytes(),
      oldBytes: this.#prediction.of(this.#bytes(before.file), sessionsOf(before.plan)),
      oneBytes: this.#prediction.of(bytes, 1),
      allBytes: this.#prediction.of(bytes, sessionsOf(this.#plan(next))),
    };
    const way = swapWay(memory);
    if (way === 'refuse' && isTrial) {
      const freeMb = megabytes(memory.freeBytes + memory.oldBytes);
      throw MemoryShort({ neededMb: megabytes(memory.oneBytes), freeMb });
    }
    const { name } = next;
    if (way !== 'beside')
      this.parts.log.warn({ name, way, ...memory }, 'the new model does not fit beside the old one');
    return way === 'refuse' ? 'drain' : way;
  }

  /**
   * Opens a model on the workers of its plan, or on one. The first model of a device is needed at once: of it, one batch
   * size is warmed up. @throws ESP_MODEL_LOAD_FAILED, ESP_SELF_TEST_FAILED
   */
  async open(next: Candidate, { narrow, isFirst }: { narrow: boolean; isFirst: boolean }): Promise<ModelPool> {
    const plan = this.#plan(next);
    const fit = (wanted: ServingPlan | null) => (narrow && wanted ? { ...wanted, workers: 1 } : wanted);
    if (plan?.runtime === undefined) return this.#proven(next, fit(plan), isFirst);
    try {
      return await this.#proven(next, fit(plan), isFirst);
    } catch (error) {
      // It did well when it was chosen; whatever is wrong with it now, ONNX Runtime serves.
      const otherwise = this.parts.tuner?.fellBack(next, plan, (error as Error).message) ?? null;
      return this.#proven(next, fit(otherwise), isFirst);
    }
  }

  /** @throws ESP_MODEL_LOAD_FAILED, ESP_SELF_TEST_FAILED */
  async #proven(next: Candidate, plan: ServingPlan | null, isFirst: boolean): Promise<ModelPool> {
    const beforeBytes = process.memoryUsage.rss();
    const pool = await this.#pool(next, plan);
    await pool.warm(isFirst ? [1] : undefined);
    this.#prediction.saw(this.#bytes(next.file), sessionsOf(plan), process.memoryUsage.rss() - beforeBytes);
    const cause = await next.check(pool, pool.runtime.adapter);
    if (!cause) return pool;
    await pool.close();
    throw SelfTestFailed({ cause });
  }

  /** Brings a pool that was opened on one worker to the workers of its plan. */
  async widen(next: Candidate, pool: ModelPool): Promise<void> {
    const plan = this.#plan(next);
    if (plan) await pool.adopt(plan);
  }

  /** Lays a model out for the next time it is opened, if there is memory for it; call it when the device has nothing to do. */
  async prepare({ file, planDigest, options, name }: Candidate): Promise<void> {
    const { prepared, freeBytes, log } = this.parts;
    if (!prepared || !canBeLaidOut(file) || prepared.find(planDigest, options)) return;
    if (
      swapWay({
        freeBytes: freeBytes(),
        oldBytes: 0,
        oneBytes: 0,
        allBytes: this.#prediction.of(this.#bytes(file), 1),
      }) !== 'beside'
    )
      return;
    try {
      await prepared.prepare(file, planDigest, options);
    } catch (error) {
      log.warn({ name, error: (error as Error).message }, 'the model could not be laid out in advance');
    }
  }

  /** Opens the prepared model where there is one; one that does not open is dropped, and the model itself opened. */
  async #pool({ file, planDigest, options, others }: Candidate, plan: ServingPlan | null): Promise<ModelPool> {
    const { settings, prepared } = this.parts;
    const ready = prepared?.find(planDigest, options) ?? null;
    if (plan?.runtime !== undefined) return ModelPool.open(ready ?? file, options, settings, plan, others);
    if (ready) {
      try {
        return await ModelPool.open(ready, options, settings, plan, others);
      } catch {
        prepared?.drop(planDigest, options);
      }
    }
    return ModelPool.open(file, options, settings, plan, others);
  }

  #plan(next: Candidate): ServingPlan | null {
    return this.parts.tuner?.stored(next) ?? null;
  }

  /** A file that is not there is told of by the runtime. */
  #bytes(file: string): number {
    try {
      return modelBytes(file);
    } catch {
      return 0;
    }
  }
}
