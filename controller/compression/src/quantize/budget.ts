import os from 'node:os';
import type { TensorSpec } from '@espalier/proto';
import { CalibrationTooLarge } from '../errors.js';
import type { Graph } from '../onnx/graph.js';
import { inferShapes } from '../onnx/shapes/infer.js';
import { elementCount } from '../onnx/tensor.js';
import { SAMPLES_MIN, sampleBytes } from './samples.js';

/** What calibration may hold of activations and samples, in bytes: the machine has other work. */
export const calibrationBudget = (machineBytes = os.totalmem()): number => Math.min(1e9, machineBytes / 4);

const FLOAT_BYTES = 4;

/**
 * Bytes of the values that are alive together at the worst node, for one sample: each from the node that makes it to the
 * last that reads it. Dimensions that may vary count as 1, values of unknown shape as nothing.
 */
export function activationBytes(graph: Graph): number {
  const { of } = inferShapes(graph);
  const bytesOf = (value: string, batched: boolean): number => {
    const shape = graph.constants.has(value) ? null : of(value);
    if (!shape) return 0;
    return FLOAT_BYTES * elementCount(shape.map((dim, at) => (batched && at === 0 ? 1 : (dim ?? 1))));
  };
  const batched = graph.inputs.length > 0;
  const dies = new Map<string, number>();
  for (const [at, node] of graph.nodes.entries()) for (const value of node.inputs) if (value) dies.set(value, at);
  let alive = graph.inputs.reduce((sum, { name }) => sum + bytesOf(name, batched), 0);
  let most = alive;
  for (const [at, node] of graph.nodes.entries()) {
    for (const value of node.outputs) if (value) alive += bytesOf(value, batched);
    most = Math.max(most, alive);
    const ended = new Set([...node.inputs, ...node.outputs].filter((value) => value && (dies.get(value) ?? at) === at));
    for (const value of ended) if (!graph.isOutput(value)) alive -= bytesOf(value, batched);
  }
  return most;
}

/**
 * Throws ESP_CALIBRATION_TOO_LARGE when the fewest samples and one sample's activations do not fit into the budget.
 * @param n samples there are
 */
export function requireBudget(
  graph: Graph,
  inputs: readonly TensorSpec[],
  n: number,
  budget = calibrationBudget(),
): void {
  const bytes = activationBytes(graph) + Math.min(n, SAMPLES_MIN) * sampleBytes(inputs);
  if (bytes > budget) throw CalibrationTooLarge({ bytes, budget });
}
