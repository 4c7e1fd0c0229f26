/** Plans that were found, one small file each, named by what they hold for: device, model, options, runtime. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { canonicalDigest, type SessionOptions } from '@espalier/proto';
import { z } from 'zod';
import { readIfThere, writeDurably } from '../../common/files.js';
import { parseJson } from '../../common/json.js';
import type { ServingPlan } from '../serving-plan.js';

const Alone = z.object({
  workers: z.int().positive(),
  threads: z.int().positive(),
  spin: z.boolean(),
  runtime: z.string().optional(),
  curve: z.array(z.tuple([z.int().positive(), z.number().positive()])).min(1),
  compared: z.record(z.string(), z.number()).optional(),
  refused: z.record(z.string(), z.string()).optional(),
});
const Plan = Alone.extend({ otherwise: Alone.optional() });

/** What a plan holds for; another value of any of these wants another search. */
export interface PlanKey {
  readonly modelDigest: string;
  readonly options: SessionOptions;
  readonly runtime: string;
  /** Other runtimes of this device that have a file of the model, with their versions; absent where there are none. */
  readonly others?: readonly string[];
  readonly cpu: string;
  readonly cpus: number;
  readonly latencyLimitMs: number | null;
}

export class PlanStore {
  constructor(private readonly folder: string) {}

  read(key: PlanKey): ServingPlan | null {
    const text = readIfThere(this.#file(key));
    const parsed = Plan.safeParse(text === null ? null : parseJson(Buffer.from(text)));
    return parsed.success ? parsed.data : null;
  }

  /** A disk that is full costs the search at the next start, nothing else. */
  write(key: PlanKey, plan: ServingPlan): void {
    try {
      writeDurably(this.#file(key), JSON.stringify(plan));
    } catch {
      // It is measured again.
    }
  }

  #file(key: PlanKey): string {
    const digest = createHash('sha256').update(canonicalDigest(key)).digest('hex');
    return path.join(this.folder, `${digest.slice(0, 32)}.json`);
  }
}
