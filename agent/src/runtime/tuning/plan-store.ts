/** Plans that were found, one small file each, named by what they hold for: device, model, options, runtime. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { canonicalDigest, type SessionOptions } from '@espalier/proto';
import { z } from 'zod';
import { readIfThere, writeDurably } from '../../common/files.js';
import { parseJson } from '../../common/json.js';
import type { ServingPlan } from '../serving-plan.js';

const Plan = z.object({
  workers: z.int().positive(),
  threads: z.int().positive(),
  spin: z.boolean(),
  curve: z.array(z.tuple([z.int().positive(), z.number().positive()])).min(1),
});

/** What a plan holds for; another value of any of these wants another search. */
export interface PlanKey {
  readonly modelDigest: string;
  readonly options: SessionOptions;
  readonly runtime: string;
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
