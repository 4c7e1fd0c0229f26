import type { Alternative } from '@espalier/proto';
import { TfliteNeedsInt8, TfliteUnsupported } from '../errors.js';
import type { HardwareProfile } from '../hardware/profile.js';
import { fixBatch } from '../onnx/fix-batch.js';
import type { Graph } from '../onnx/graph.js';
import { lowerToTflite } from '../tflite/lower.js';
import { writeTflite } from '../tflite/write.js';
import type { Candidate } from './int8.js';
import type { BuildOptions } from './options.js';

type Of = Pick<BuildOptions, 'profile' | 'output' | 'modelName'>;

/** Int8 on every edge with a zero point: what a .tflite with int8 ends is written from. */
const isFullInteger = ({ scheme, placement }: HardwareProfile): boolean =>
  scheme.activations === 'int8' && placement.at === 'all-edges';

/** Of one row, as LiteRT runs it: batches are ONNX Runtime's. */
const withFloatEnds = (graph: Graph, name: string): Uint8Array =>
  writeTflite(lowerToTflite(fixBatch(graph, 1), name, 'float'));

/**
 * The build as .tflite, or null when the profile's file is another. Throws ESP_TFLITE_UNSUPPORTED with the node that
 * has no counterpart, and ESP_TFLITE_NEEDS_INT8 when it was asked for and float was kept.
 */
export function tfliteOf({ profile, output, modelName }: Of, candidate: Candidate | null): Uint8Array | null {
  if ((output ?? profile.outputs[0]) !== 'tflite') return null;
  if (candidate?.int8) {
    const { graph } = candidate.int8;
    return isFullInteger(profile) ? writeTflite(lowerToTflite(graph, modelName)) : withFloatEnds(graph, modelName);
  }
  if (output !== 'tflite') return null;
  throw TfliteNeedsInt8({ model: modelName, why: candidate?.notes.join(' ') ?? 'the recipe was float.' });
}

/**
 * Steps of the output by which LiteRT's answers may differ from ONNX Runtime's: kernels round differently. On x64 MobileNetV2
 * was off by 3.3, two ResNets by less than one; what computes wrongly is off by dozens.
 */
const STEPS = 8;

/** What a manifest says of the file for LiteRT. @param tolerance of ONNX Runtime's golden outputs: a step each */
export const liteRtFile = (entry: string, tolerance: Readonly<Record<string, number>>): Alternative => ({
  ...{ adapter: 'litert', entry },
  tolerance: Object.fromEntries(Object.entries(tolerance).map(([name, step]) => [name, STEPS * step])),
});

/**
 * The same int8 network for LiteRT, which takes and gives what model.onnx does: of profiles that have .tflite after .onnx.
 * Null where nothing of the kind is wanted, or where float was kept; else the file, or why it cannot be written.
 */
export function twinOf(
  { profile, output, modelName }: Of,
  candidate: Candidate | null,
): { readonly bytes: Uint8Array } | { readonly why: string } | null {
  const isWanted = output === undefined && profile.outputs.indexOf('tflite') > 0;
  if (!isWanted || !candidate?.int8 || candidate.isWide) return null;
  try {
    return { bytes: withFloatEnds(candidate.int8.graph, modelName) };
  } catch (error) {
    if (!TfliteUnsupported.is(error)) throw error;
    return { why: `There is no file for LiteRT beside it: ${error.message}` };
  }
}
