/** What a build shows beside float on the same samples, whatever the profile: it depends on the two files alone. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { TensorSpec } from '@espalier/proto';
import type { Dataset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import { suspicions } from '../data/suspicion.js';
import { compareDetections, type DetectionComparison } from '../detection/compare.js';
import { readModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { keyOfFeeding } from '../quantize/samples.js';
import { collectGarbage } from '../runtime/collect.js';
import { Session } from '../runtime/session.js';
import { ALONE } from '../share/shared.js';
import { type Comparison, compare } from './accuracy.js';
import type { Tell } from './build-progress.js';
import { floatRun } from './float-run.js';
import { makeGolden } from './golden.js';
import type { BuildOptions } from './options.js';

/** Float and variant at the profile's session options, each opened when it is first needed. */
export class SessionPair {
  private first: Promise<Session> | null = null;
  private second: Promise<Session> | null = null;

  /** @param name of the variant; null where it is float itself */
  constructor(
    private readonly options: BuildOptions,
    readonly bytes: Uint8Array,
    private readonly name: string | null,
  ) {}

  float(): Promise<Session> {
    const { modelPath, modelName, profile } = this.options;
    this.first ??= Session.open(modelPath, modelName, profile.session);
    return this.first;
  }

  variant(): Promise<Session> {
    if (this.name === null) return this.float();
    this.second ??= Session.open(this.bytes, this.name, this.options.profile.session);
    return this.second;
  }

  async dispose(): Promise<void> {
    for (const opened of await Promise.allSettled([this.first, this.second]))
      if (opened.status === 'fulfilled') await opened.value?.dispose();
  }
}

export interface Ran {
  readonly comparison: Comparison;
  readonly detection: DetectionComparison | null;
  readonly suspected: readonly string[];
  /** The cases of golden.json. */
  readonly golden: string;
  /** The variant as the runtime optimized it. */
  readonly optimized: Graph;
  readonly inputs: TensorSpec[];
  readonly outputs: TensorSpec[];
}

interface RunOptions {
  readonly data: Dataset;
  readonly feeding: BatchOptions;
  /** What is known of the way the data is read, from a proof before this one. */
  readonly suspected: readonly string[] | undefined;
  readonly tell: Tell;
}

/** Throws ESP_RUNTIME_REFUSED, ESP_OUTPUT_NOT_A_NUMBER, ESP_DATA_UNFIT. */
export async function runBoth(
  options: BuildOptions,
  pair: SessionPair,
  { data, feeding: fed, suspected: known, tell }: RunOptions,
): Promise<Ran> {
  const { modelPath, outDir, modelName, profile, shared = ALONE } = options;
  const saved = path.join(outDir, '.optimized.onnx');
  collectGarbage();
  const float = await pair.float();
  const variant = await pair.variant();
  try {
    const saving = { optimizedModelFilePath: saved };
    await (await Session.open(pair.bytes, modelName, profile.session, saving)).dispose();
    const feeding = { ...fed, inputs: variant.inputs };
    const on = [modelPath, profile.session, data.spec, keyOfFeeding(feeding)];
    tell('evaluate', 0, `${data.n} samples`);
    const reference = await floatRun(float, data, feeding, { shared, on });
    const comparison = await compare(reference, variant, data, feeding, (share) => tell('evaluate', share));
    const detection =
      data.scenes && options.detection
        ? await compareDetections(float, variant, data, data.scenes, options.detection, feeding)
        : null;
    const suspected = known ?? (await shared.once('suspicions', on, () => suspicions(float, data, feeding)));
    const golden = JSON.stringify(await makeGolden(variant, data, feeding));
    const optimized = await readModel(saved);
    const { inputs, outputs } = variant;
    return { comparison, detection, suspected, golden, optimized, inputs, outputs };
  } finally {
    await rm(saved, { force: true });
  }
}
