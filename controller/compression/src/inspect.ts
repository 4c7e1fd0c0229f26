import { stat } from 'node:fs/promises';
import type { Preprocess, TensorSpec } from '@espalier/proto';
import { findPreprocess, labelsOf } from './data/preprocess.js';
import { GraphBroken, ModelInvalid } from './errors.js';
import { overridableDefaults, readModel } from './onnx/codec.js';
import type { Graph } from './onnx/graph.js';
import { inferShapes } from './onnx/shapes/infer.js';
import { shapeText } from './onnx/shapes/shape.js';
import { elementCount } from './onnx/tensor.js';
import { READING, verify } from './onnx/verify.js';
import { PER_CHANNEL_OPSET } from './passes/raise-opset.js';
import { quantizedNode } from './recipe/prepare.js';
import { limitsOf, probeModel } from './runtime/probe.js';

export interface ModelInfo {
  readonly opset: number;
  readonly irVersion: number;
  readonly producer: string;
  readonly inputs: TensorSpec[];
  readonly outputs: TensorSpec[];
  /** Number of nodes by operator, most frequent first. */
  readonly operators: Record<string, number>;
  readonly parameters: number;
  readonly sizeBytes: number;
  readonly preprocess: Preprocess | null;
  readonly labels: string[] | null;
  readonly warnings: string[];
}

/**
 * Reads a model that came from elsewhere: decoded, its nodes sorted, and held against the rules of a valid graph.
 * Throws ESP_MODEL_UNREADABLE, ESP_MODEL_EXTERNAL_DATA, and ESP_MODEL_INVALID with the rule and the place.
 */
export async function readChecked(file: string): Promise<Graph> {
  const graph = await readModel(file);
  graph.sort();
  try {
    verify(graph, READING);
  } catch (error) {
    if (!GraphBroken.is(error)) throw error;
    const { rule, at, why } = error.details as { rule: string; at: string; why: string };
    throw ModelInvalid({ path: file, why: `${rule}, but at ${at}: ${why}` }, { cause: error });
  }
  return graph;
}

/**
 * What a model is, from its file and from the runtime that would run it. Throws ESP_MODEL_UNREADABLE,
 * ESP_MODEL_INVALID, ESP_MODEL_EXTERNAL_DATA, ESP_PREPROCESS_INVALID, ESP_RUNTIME_REFUSED, ESP_RUNTIME_CRASHED.
 */
export async function inspectModel(file: string): Promise<ModelInfo> {
  const graph = await readChecked(file);
  const { inputs, outputs } = await probeModel(file, limitsOf(graph));
  const { record } = await findPreprocess(file, graph);
  return {
    opset: graph.opset(),
    irVersion: Number(graph.shell.irVersion),
    producer: [graph.shell.producerName, graph.shell.producerVersion].filter(Boolean).join(' '),
    inputs,
    outputs,
    operators: countOperators(graph),
    parameters: [...graph.constants.values()].reduce((sum, { dims }) => sum + elementCount(dims), 0),
    sizeBytes: (await stat(file)).size,
    preprocess: record,
    labels: labelsOf(graph),
    warnings: warningsOf(graph, record !== null),
  };
}

export function countOperators(graph: Graph): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { opType } of graph.nodes) counts.set(opType, (counts.get(opType) ?? 0) + 1);
  return Object.fromEntries([...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)));
}

function warningsOf(graph: Graph, hasRecord: boolean): string[] {
  const warnings: string[] = [];
  const overridable = overridableDefaults(graph).length;
  if (overridable > 0)
    warnings.push(`${overridable} constants are also inputs (IR 3): they are frozen to their values.`);
  if (graph.opset() < PER_CHANNEL_OPSET) {
    warnings.push(`Opset ${graph.opset()} has no scale per channel: int8 raises it to ${PER_CHANNEL_OPSET}.`);
  }
  for (const { value, declared, made } of inferShapes(graph).conflicts) {
    warnings.push(`${value} is declared ${shapeText(declared)} and is ${shapeText(made)}: the declaration is ignored.`);
  }
  const quantized = quantizedNode(graph);
  if (quantized)
    warnings.push(`It is quantized already (${quantized.opType}, ${quantized.name}): int8 keeps it as it is.`);
  if (!hasRecord) warnings.push('It has no preprocessing record: inputs go in as they are.');
  return warnings;
}
