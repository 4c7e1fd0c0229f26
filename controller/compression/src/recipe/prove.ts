import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { TensorSpec } from '@espalier/proto';
import type { Dataset } from '../data/content.js';
import { openDataset } from '../data/dataset.js';
import { type BatchOptions, firstFeeds } from '../data/feeds.js';
import { suspicions } from '../data/suspicion.js';
import { compareDetections } from '../detection/compare.js';
import { readLocalFacts } from '../hardware/local-facts.js';
import { fits } from '../hardware/match.js';
import type { HardwareProfile } from '../hardware/profile.js';
import { encodeModel, readWhole } from '../onnx/codec.js';
import { collectGarbage } from '../runtime/collect.js';
import { Session } from '../runtime/session.js';
import { compare } from './accuracy.js';
import type { Inputs } from './build-inputs.js';
import type { Tell } from './build-progress.js';
import { goldenTolerance, makeGolden } from './golden.js';
import type { Candidate } from './int8.js';
import { measurePair, speedupOf } from './latency.js';
import { plannedNodes, transformedNodes } from './nodes.js';
import { nodesAsRun } from './nodes-as-run.js';
import type { BuildOptions } from './options.js';
import { graphOf, methodOf } from './other.js';
import type { Evidence } from './report.js';
import { writeArtifact } from './write.js';

/** What a build showed when it ran. */
export interface Proof {
  readonly bytes: Uint8Array;
  readonly evidence: Omit<Evidence, 'device'>;
  readonly golden: { readonly text: string; readonly tolerance: Record<string, number> };
  readonly inputs: TensorSpec[];
  readonly outputs: TensorSpec[];
}

/**
 * Runs float and variant side by side at the profile's session options, as the device will.
 * @param before the proof of what is not kept: what it says of float and the data is not looked for again
 */
export async function proveStep(
  options: BuildOptions,
  inputs: Inputs,
  candidate: Candidate | null,
  tell: Tell,
  before?: Proof,
): Promise<Proof> {
  const { profile, outDir, modelName } = options;
  const [built, method] = [graphOf(candidate), methodOf(candidate)];
  const bytes = built ? encodeModel(built) : await readWhole(options.modelPath);
  await writeArtifact(outDir, 'model.onnx', bytes);
  collectGarbage();
  const optimizedFile = path.join(outDir, '.optimized.onnx');
  const float = await Session.open(options.modelPath, modelName, profile.session);
  const variant = built ? await Session.open(bytes, `${modelName} ${method}`, profile.session) : float;
  try {
    const saving = { optimizedModelFilePath: optimizedFile };
    await (await Session.open(bytes, modelName, profile.session, saving)).dispose();
    const feeding = { ...inputs.feeding, inputs: variant.inputs };
    const data = inputs.evaluation ?? inputs.calibration ?? (await openDataset('random:8'));
    const seen = (share: number) => tell('evaluate', share);
    tell('evaluate', 0, `${data.n} samples`);
    const comparison = await compare(float, variant, data, feeding, seen);
    const detection =
      data.scenes && options.detection
        ? await compareDetections(float, variant, data, data.scenes, options.detection, feeding)
        : null;
    const suspected = before?.evidence.suspected ?? (await suspicions(float, data, feeding));
    tell('measure', 0);
    const latency = await measureHere(profile, float, variant, data, feeding);
    const prepared = candidate?.int8 ? { graph: candidate.prepared, plan: candidate.int8.plan } : null;
    const here = profile.oracle.tool === 'onnxruntime';
    const figures = candidate?.other
      ? transformedNodes(candidate.other)
      : here || !prepared
        ? await nodesAsRun(optimizedFile, prepared, { profile, data, feeding, latency })
        : plannedNodes(prepared);
    const cases = await makeGolden(variant, data, feeding);
    const graph = built ?? inputs.original;
    const tolerance = goldenTolerance(graph, variant.outputs, comparison.outputRange, method);
    const speedup = latency ? (method === 'float' ? 1 : speedupOf(latency, profile.session)) : null;
    return {
      bytes,
      evidence: {
        method,
        candidate,
        figures,
        comparison,
        detection,
        suspected,
        data,
        latency,
        speedup,
        floatBytes: inputs.floatBytes,
      },
      golden: { text: JSON.stringify(cases), tolerance },
      inputs: variant.inputs,
      outputs: variant.outputs,
    };
  } finally {
    await Promise.all([...new Set([float, variant])].map((session) => session.dispose()));
    await rm(optimizedFile, { force: true });
  }
}

/** Latency of both, only on a machine that the profile fits: an emulated or foreign figure would mislead. */
async function measureHere(
  profile: HardwareProfile,
  float: Session,
  variant: Session,
  data: Dataset,
  feeding: BatchOptions,
): Promise<Evidence['latency']> {
  if (!fits(await readLocalFacts(), profile)) return null;
  const feeds = await firstFeeds(data, feeding, 1);
  return feeds && measurePair(float, variant, feeds, feeding.signal);
}
