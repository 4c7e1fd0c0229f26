import { sha256Hex, type TensorSpec } from '@espalier/proto';
import type { Dataset } from '../data/content.js';
import { openDataset } from '../data/dataset.js';
import { type BatchOptions, firstFeeds } from '../data/feeds.js';
import { readLocalFacts } from '../hardware/local-facts.js';
import { fits } from '../hardware/match.js';
import type { HardwareProfile } from '../hardware/profile.js';
import { encodeModel, readWhole } from '../onnx/codec.js';
import { shortenNames } from '../onnx/short-names.js';
import { keyOfFeeding } from '../quantize/samples.js';
import { ALONE } from '../share/shared.js';
import type { Inputs } from './build-inputs.js';
import type { Tell } from './build-progress.js';
import { goldenTolerance } from './golden.js';
import type { Candidate } from './int8.js';
import { measurePair, speedupOf } from './latency.js';
import { plannedNodes, transformedNodes } from './nodes.js';
import { nodesAsRun } from './nodes-as-run.js';
import { type BuildOptions, isForSize } from './options.js';
import { graphOf, methodOf } from './other.js';
import type { Evidence } from './report.js';
import { runBoth, SessionPair } from './run-both.js';
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
  const { profile, outDir, modelName, shared = ALONE } = options;
  const [built, method] = [graphOf(candidate), methodOf(candidate)];
  const bytes = built
    ? encodeModel(isForSize(options) ? shortenNames(built) : built)
    : await readWhole(options.modelPath);
  await writeArtifact(outDir, 'model.onnx', bytes);
  const data = inputs.evaluation ?? inputs.calibration ?? (await openDataset('random:8'));
  const pair = new SessionPair(options, bytes, built ? `${modelName} ${method}` : null);
  try {
    // Two profiles that get the same file under the same session options get what it showed, too.
    const on = [options.modelPath, sha256Hex(bytes), profile.session, data.spec, keyOfFeeding(inputs.feeding)];
    const suspected = before?.evidence.suspected;
    const ran = await shared.once('proof', [...on, options.detection ?? null], () =>
      runBoth(options, pair, { data, feeding: inputs.feeding, suspected, tell }),
    );
    const feeding = { ...inputs.feeding, inputs: ran.inputs };
    tell('measure', 0);
    const latency = await measureHere(profile, pair, data, feeding);
    const prepared = candidate?.int8 ? { graph: candidate.prepared, plan: candidate.int8.plan } : null;
    const here = profile.oracle.tool === 'onnxruntime';
    const figures = candidate?.other
      ? transformedNodes(candidate.other)
      : here || !prepared
        ? await nodesAsRun(ran.optimized, prepared, { profile, data, feeding, latency })
        : plannedNodes(prepared);
    const graph = built ?? inputs.original;
    const tolerance = goldenTolerance(graph, ran.outputs, ran.comparison.outputRange, method);
    const speedup = latency ? (method === 'float' ? 1 : speedupOf(latency, profile.session)) : null;
    const { comparison, detection, suspected: suspicious } = ran;
    const seen = { comparison, detection, suspected: suspicious, data };
    return {
      bytes,
      evidence: { method, candidate, figures, ...seen, latency, speedup, floatBytes: inputs.floatBytes },
      golden: { text: ran.golden, tolerance },
      inputs: ran.inputs,
      outputs: ran.outputs,
    };
  } finally {
    await pair.dispose();
  }
}

/** Latency of both, only on a machine that the profile fits: an emulated or foreign figure would mislead. */
async function measureHere(
  profile: HardwareProfile,
  pair: SessionPair,
  data: Dataset,
  feeding: BatchOptions,
): Promise<Evidence['latency']> {
  if (!fits(await readLocalFacts(), profile)) return null;
  const feeds = await firstFeeds(data, feeding, 1);
  return feeds && measurePair(await pair.float(), await pair.variant(), feeds, feeding.signal);
}
