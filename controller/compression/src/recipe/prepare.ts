import type { Dataset } from '../data/content.js';
import { type BatchOptions, batches } from '../data/feeds.js';
import { RewriteNotExact } from '../errors.js';
import { cloneGraph, encodeModel, overridableDefaults } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { type Pass, type PassRecord, preparation, runPasses } from '../passes/index.js';
import { collectGarbage } from '../runtime/collect.js';
import { Session } from '../runtime/session.js';
import { requireNumbers } from './accuracy.js';

const QUANTIZED =
  /^(QuantizeLinear|DequantizeLinear|DynamicQuantizeLinear|QLinear\w+|QGemm|ConvInteger|MatMulInteger)$/;

/** A node that shows that a model is quantized already, or undefined. */
export const quantizedNode = (graph: Graph): Node | undefined =>
  graph.nodes.find(({ opType }) => QUANTIZED.test(opType));

export interface Prepared {
  readonly graph: Graph;
  readonly passes: PassRecord[];
  readonly notes: string[];
}

/** Samples on which the rewritten model must agree with the original. */
const CHECKED = 8;
const DIFFERENCE_MAX = 1e-3;

/**
 * The float model after its exact rewrites, compared with the original on real inputs.
 * @param more rewrites beyond those of every model
 * Throws ESP_REWRITE_NOT_EXACT when an output moved by more than a thousandth of its range, and
 * ESP_OUTPUT_NOT_A_NUMBER when the original returns NaN.
 */
export async function prepare(
  original: Graph,
  data: Dataset,
  feeding: BatchOptions,
  more: readonly Pass[] = [],
): Promise<Prepared> {
  const graph = cloneGraph(original);
  const passes = runPasses(graph, [...preparation, ...more]);
  const [before, after] = await Promise.all([
    Session.open(encodeModel(original), 'the model'),
    Session.open(encodeModel(graph), 'the prepared model'),
  ]);
  try {
    for await (const { feeds } of batches(data, { ...feeding, limit: CHECKED })) {
      const expected = await before.floats(feeds);
      requireNumbers(expected, before.name);
      const found = await after.floats(feeds);
      for (const [output, { data: values }] of Object.entries(expected)) {
        const difference = relativeDifference(values, found[output]!.data);
        if (difference > DIFFERENCE_MAX) throw RewriteNotExact({ pass: 'preparation', output, difference });
      }
    }
  } finally {
    await Promise.all([before.dispose(), after.dispose()]);
    collectGarbage();
  }
  return { graph, passes, notes: notesOf(original, passes) };
}

/** Largest difference, as a share of the range of the finite expected values; infinite where one side alone is not. */
export function relativeDifference(expected: Float32Array, found: Float32Array): number {
  let [low, high, most] = [0, 0, 0];
  for (let at = 0; at < expected.length; at++) {
    const [a, b] = [expected[at]!, found[at]!];
    if (a === b && !Number.isFinite(a)) continue;
    const difference = Math.abs(a - b);
    most = Math.max(most, Number.isFinite(difference) ? difference : Number.POSITIVE_INFINITY);
    low = Math.min(low, a);
    high = Math.max(high, a);
  }
  return high > low && most < Number.POSITIVE_INFINITY ? most / (high - low) : most;
}

function notesOf(original: Graph, passes: readonly PassRecord[]): string[] {
  const notes: string[] = [];
  const frozen = overridableDefaults(original).length;
  if (frozen > 0) notes.push(`${frozen} constants that a caller could override (IR 3) are frozen to their values.`);
  const raised = passes.find((pass) => pass.name === 'raise-opset' && pass.applied > 0);
  if (raised)
    notes.push(`The operator set was raised (${raised.reasons[0]}) and the outputs compared: they are equal.`);
  return notes;
}
