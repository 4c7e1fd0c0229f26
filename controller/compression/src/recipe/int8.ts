import type { SearchRecord } from '@espalier/proto';
import { GraphBroken } from '../errors.js';
import type { HardwareProfile } from '../hardware/profile.js';
import { fixBatch } from '../onnx/fix-batch.js';
import type { Graph } from '../onnx/graph.js';
import { finishing, type PassRecord, rewriting, runPasses } from '../passes/index.js';
import { PER_CHANNEL_OPSET } from '../passes/raise-opset.js';
import type { Transformed } from '../precision/transform.js';
import { requireBudget } from '../quantize/budget.js';
import { placementViolations } from '../quantize/placement-rules.js';
import { type Quantized, quantize, type Refine } from '../quantize/quantize.js';
import { type CalibrationOptions, keyOfFeeding } from '../quantize/samples.js';
import type { Choice } from '../quantize/search.js';
import type { Precision } from '../search/points.js';
import { ALONE } from '../share/shared.js';
import { adviceFor } from './device.js';
import type { Narrowed } from './narrow.js';
import { prepare, quantizedNode } from './prepare.js';

/** A model in a precision that needs no calibration. */
export interface Other extends Transformed {
  readonly precision: Precision;
}

/** What a recipe made of a model; `int8` and `other` are null when the original is to be kept, and the notes say why. */
export interface Candidate {
  readonly int8: Quantized | null;
  /** Activations of 16 bits beside int8 weights. */
  readonly isWide?: boolean;
  readonly other?: Other | null;
  /** Channels were removed before. */
  readonly isPruned: boolean;
  readonly prepared: Graph;
  readonly passes: readonly PassRecord[];
  readonly notes: readonly string[];
  /** Where builds were searched. */
  readonly search?: SearchRecord;
  /** Latency by the table that the widths were chosen along, in microseconds. */
  readonly predictedUs: number | null;
}

/** QuantizeLinear exists from here on [ONNX QuantizeLinear-10]. */
const QDQ_OPSET = 10;

/** Prepares, with `narrowing` prunes, and quantizes a model for a profile. A model that is quantized already is never quantized twice. */
export async function makeInt8(
  original: Graph,
  profile: HardwareProfile,
  options: CalibrationOptions,
  narrowing: ((prepared: Graph) => Promise<Narrowed>) | null = null,
  refine: Refine | null = null,
): Promise<Candidate> {
  const keep = (note: string): Candidate => ({
    int8: null,
    isPruned: false,
    prepared: original,
    passes: [],
    ...{ notes: [note], predictedUs: null },
  });
  if (!profile.precisions.includes('int8')) return keep(`${profile.id} has no int8, so float was kept.`);
  const quantized = quantizedNode(original);
  if (quantized) {
    return keep(`The model is quantized already (${quantized.opType}, ${quantized.name}); it was kept as it is.`);
  }
  requireBudget(original, options.feeding.inputs, options.data.n);
  const { data, feeding, shared = ALONE } = options;
  const on = [original, data.spec, keyOfFeeding(feeding), profile.rewrites];
  const prepared = await shared.once('prepared', on, () => prepare(original, data, feeding, rewriting(profile)));
  const narrowed = await narrowing?.(prepared.graph);
  const graph = narrowed?.graph ?? prepared.graph;
  const notes = [...prepared.notes, ...(narrowed?.notes ?? [])];
  const used = { ...profile };
  if (graph.opset() < PER_CHANNEL_OPSET) {
    if (graph.opset() < QDQ_OPSET) {
      return keep(`Opset ${graph.opset()} could not be raised and has no QuantizeLinear, so float was kept.`);
    }
    used.scheme = { ...profile.scheme, perChannel: false };
    notes.push(`Opset ${graph.opset()} could not be raised, so weights have one scale a tensor.`);
  }
  const int8 = await quantize(graph, used, options, refine);
  if (!int8) notes.push(`No node of the model has an int8 kernel on ${profile.id}, so float was kept.`);
  else notes.push(...describe(int8), ...int8.notes);
  const finished = int8 ? runPasses(int8.graph, finishing(used)) : [];
  const passes = [...prepared.passes, ...(narrowed ? [narrowed.pass] : []), ...finished];
  const [broken] = int8 ? placementViolations(int8.graph, profile) : [];
  if (broken) throw GraphBroken({ pass: 'quantize', ...broken });
  notes.push(...adviceFor(graph, profile));
  return {
    int8: int8 && withBatch(int8, profile),
    isPruned: int8 !== null && narrowed?.isPruned === true,
    predictedUs: narrowed?.predictedUs ?? null,
    prepared: graph,
    passes,
    notes,
  };
}

const withBatch = (int8: Quantized, { shapes }: HardwareProfile): Quantized =>
  shapes.batch === null ? int8 : { ...int8, graph: fixBatch(int8.graph, shapes.batch) };

function describe({ choice, candidates, insertion }: Quantized): string[] {
  const tried = candidates.map(({ choice: one, sqnrDb }) => `${nameOf(one)} ${sqnrDb.toFixed(1)} dB`);
  const notes = [
    `Quantized by ${nameOf(choice)}, the best on calibration samples that fitted nothing: ${tried.join('; ')}.`,
  ];
  if (insertion.raisedForPairs > 0) {
    notes.push(`${insertion.raisedForPairs} channels have coarser weights so that no 16-bit sum can overflow.`);
  }
  if (insertion.raisedForBias > 0) {
    notes.push(`${insertion.raisedForBias} channels have coarser weights so that their bias fits into 32 bits.`);
  }
  return notes;
}

/** "mse + equalization + bias correction + fitted rounding" */
const nameOf = ({ method, equalize, bias, round }: Choice): string =>
  [
    method,
    ...(equalize ? ['equalization'] : []),
    ...(bias ? ['bias correction'] : []),
    ...(round ? ['fitted rounding'] : []),
  ].join(' + ');
