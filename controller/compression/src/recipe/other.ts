/** Builds in precisions that need no calibration. */
import type { Report } from '@espalier/proto';
import type { Dataset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import { RuntimeRefused } from '../errors.js';
import type { HardwareProfile } from '../hardware/profile.js';
import { encodeModel } from '../onnx/codec.js';
import { fixBatch } from '../onnx/fix-batch.js';
import type { Graph } from '../onnx/graph.js';
import { TRANSFORMATIONS } from '../precision/index.js';
import { Session } from '../runtime/session.js';
import type { Precision } from '../search/points.js';
import { adviceFor } from './device.js';
import type { Candidate, Other } from './int8.js';
import { type Prepared, prepare, quantizedNode } from './prepare.js';

/** The float model after its exact rewrites, or why it is kept as it is. */
export async function preparedFor(
  original: Graph,
  data: Dataset,
  feeding: BatchOptions,
): Promise<Prepared | { why: string }> {
  const quantized = quantizedNode(original);
  if (!quantized) return prepare(original, data, feeding);
  return { why: `The model is quantized already (${quantized.opType}, ${quantized.name}); it was kept as it is.` };
}

/** A prepared model in a precision, or why not. Pure. */
export function otherOf({ graph }: Prepared, precision: Precision, profile: HardwareProfile): Other | { why: string } {
  const result = TRANSFORMATIONS[precision]?.(graph, profile) ?? { why: `${precision} needs calibration` };
  if ('why' in result) return result;
  const { batch } = profile.shapes;
  return { ...result, precision, graph: batch === null ? result.graph : fixBatch(result.graph, batch) };
}

/** The build in one precision, asked for by name. */
export async function makeOther(
  original: Graph,
  profile: HardwareProfile,
  { data, feeding, precision }: { data: Dataset; feeding: BatchOptions; precision: Precision },
): Promise<Candidate> {
  const prepared = await preparedFor(original, data, feeding);
  if ('why' in prepared)
    return { int8: null, isPruned: false, predictedUs: null, prepared: original, passes: [], notes: [prepared.why] };
  const { graph, passes, notes } = prepared;
  const written = otherOf(prepared, precision, profile);
  const refused = 'why' in written ? null : await refusalOf(written, profile);
  const other = refused === null ? written : { why: refused };
  const kept =
    'why' in other
      ? [`${precision} does nothing for this model, so float was kept: ${other.why.replace(/\.$/, '')}.`]
      : [];
  return {
    ...{ int8: null, isPruned: false, predictedUs: null, prepared: graph, passes },
    other: 'why' in other ? null : other,
    notes: [...notes, ...kept, ...adviceFor(graph, profile)],
  };
}

/** The runtime's own words where it does not take a build, or null. */
async function refusalOf({ graph, precision }: Other, { session }: HardwareProfile): Promise<string | null> {
  try {
    await (await Session.open(encodeModel(graph), precision, session)).dispose();
    return null;
  } catch (error) {
    if (RuntimeRefused.is(error)) return error.message;
    throw error;
  }
}

/** What a candidate computes in. */
export const methodOf = (candidate: Candidate | null): Report['method'] => {
  if (candidate?.int8) return candidate.isWide ? 'int8-16' : 'int8';
  return candidate?.other?.precision ?? 'float';
};

/** The graph of a candidate; null where float is kept. */
export const graphOf = (candidate: Candidate | null): Graph | null =>
  candidate?.int8?.graph ?? candidate?.other?.graph ?? null;
