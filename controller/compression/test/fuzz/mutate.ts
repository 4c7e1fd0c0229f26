import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { randomFrom } from '@espalier/compression/data/feeds';
import { ModelProtoSchema } from '@espalier/compression/onnx/gen/onnx_pb';
import { BYTE_MUTATIONS, pick, type Random } from './bytes.ts';
import { FIELD_MUTATIONS } from './fields.ts';
import type { Seed } from './seeds.ts';

export interface Mutant {
  /** The seed model and what was done to it, in order. */
  readonly what: string;
  readonly file: Uint8Array;
}

/** A third of the mutants have their bytes changed, the others their fields: mostly once, up to three times. */
export function mutant(seeds: readonly Seed[], seed: number): Mutant {
  const random = randomFrom(seed);
  // The first numbers of near seeds are near each other.
  for (let skipped = 0; skipped < 8; skipped++) random();
  const { name, file } = pick(random, seeds);
  const times = 1 + Math.floor(3 * random() ** 3);
  const { changed, steps } = random() < 1 / 3 ? changeBytes(file, random, times) : changeFields(file, random, times);
  return { what: `${name}: ${steps.join(', ')}`, file: changed };
}

function changeBytes(file: Uint8Array, random: Random, times: number): { changed: Uint8Array; steps: string[] } {
  const steps: string[] = [];
  let changed = file;
  for (let at = 0; at < times && changed.length > 0; at++) {
    const step = pick(random, Object.keys(BYTE_MUTATIONS));
    changed = BYTE_MUTATIONS[step]!(changed, random);
    steps.push(step);
  }
  return { changed, steps };
}

function changeFields(file: Uint8Array, random: Random, times: number): { changed: Uint8Array; steps: string[] } {
  const model = fromBinary(ModelProtoSchema, file);
  const steps: string[] = [];
  for (let at = 0; at < times; at++) {
    const step = pick(random, Object.keys(FIELD_MUTATIONS));
    FIELD_MUTATIONS[step]!(model, random);
    steps.push(step);
  }
  return { changed: toBinary(ModelProtoSchema, model), steps };
}
