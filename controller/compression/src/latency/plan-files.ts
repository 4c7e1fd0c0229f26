/** From a model file to the networks that devices time, as files. */
import type { ArtifactFile, Preprocess } from '@espalier/proto';
import { openDataset } from '../data/dataset.js';
import type { HardwareProfile } from '../hardware/profile.js';
import { readChecked } from '../inspect.js';
import { rewriting } from '../passes/index.js';
import { orderPruning } from '../prune/prunable.js';
import type { Progress } from '../recipe/options.js';
import { prepare } from '../recipe/prepare.js';
import { writeArtifact } from '../recipe/write.js';
import { limitsOf, probeModel } from '../runtime/probe.js';
import { planNetworks, SHARES, type Works } from './plan.js';
import { timingSamples } from './profile-ops.js';

export interface TimingPlanOptions {
  readonly modelPath: string;
  readonly profile: HardwareProfile;
  /** A data SPEC: a few samples, so that ranges are not made up. */
  readonly calibrate: string;
  readonly preprocess: Preprocess | null;
  readonly outDir: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface PlannedFile {
  readonly share: number;
  readonly file: ArtifactFile;
  readonly works: Works;
}

const SEED = 1;

/**
 * Writes the int8 networks of a plan into `outDir`, the whole one first. Their operators have the names that the recipe's
 * networks have.
 * @throws ESP_NOTHING_PRUNABLE, and the coded errors of reading and of data
 */
export async function planTiming(options: TimingPlanOptions): Promise<PlannedFile[]> {
  const { modelPath, profile, calibrate, preprocess, outDir, signal, onProgress } = options;
  const original = await readChecked(modelPath);
  const { inputs } = await probeModel(modelPath, limitsOf(original));
  const data = await openDataset(calibrate);
  const feeding = { inputs, preprocess, batchSize: 2, seed: SEED, limit: 8, signal };
  const { graph } = await prepare(original, data, feeding, rewriting(profile));
  const { alignment } = profile;
  const subject = await orderPruning(graph, { importance: 'l2', alignment, tied: false, data, feeding, seed: SEED });
  const files: PlannedFile[] = [];
  for await (const { share, bytes, works } of planNetworks(
    subject,
    { profile, precision: 'int8' },
    await timingSamples(subject),
  )) {
    files.push({ share, works, file: await writeArtifact(outDir, `network-${files.length}.onnx`, bytes) });
    const fraction = files.length / SHARES.length;
    onProgress?.({ step: 'plan', stepIndex: 0, steps: 1, fraction });
  }
  return files;
}
