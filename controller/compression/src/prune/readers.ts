/** What the readers of every group see, in one run over the data. */
import type { Dataset } from '../data/content.js';
import type { BatchOptions } from '../data/feeds.js';
import { cloneGraph } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { intOf, type Node } from '../onnx/node.js';
import { elementCount, floatsOf } from '../onnx/tensor.js';
import { sumOver } from './accumulate.js';
import type { Group } from './groups.js';
import { hasMoments, inputRows, product, targetRows, withOnes } from './moments.js';
import type { Reader } from './obs.js';
import type { Trace } from './trace.js';

/** Weights of a linear operator as W [outputs, inputs * places], its own layout undone. */
export function weightRows(graph: Graph, node: Node): { weights: Float64Array; outputs: number; size: number } {
  const tensor = graph.constantOf(node, 1)!;
  const values = floatsOf(tensor)!;
  const [rows, columns] = [tensor.dims[0]!, elementCount(tensor.dims.slice(1))];
  if (node.opType === 'Conv' || intOf(node, 'transB', 0) === 1) {
    return { weights: Float64Array.from(values), outputs: rows, size: columns };
  }
  const weights = new Float64Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) weights[column * rows + row] = values[row * columns + column]!;
  return { weights, outputs: columns, size: rows };
}

/** S = E[x xᵀ] - E[x] E[x]ᵀ from the moments with their row of ones. */
export function covarianceOf(moments: Float64Array, size: number): Float64Array {
  const full = size + 1;
  const places = moments[full * full - 1]!;
  const covariance = new Float64Array(size * size);
  for (let a = 0; a < size; a++) {
    for (let b = 0; b < size; b++) {
      const means = (moments[a * full + size]! / places) * (moments[b * full + size]! / places);
      covariance[a * size + b] = moments[a * full + b]! / places - means;
    }
  }
  return covariance;
}

const totalVariance = (moments: Float64Array, size: number): number => {
  const covariance = covarianceOf(moments, size);
  return Array.from({ length: size }, (_, at) => covariance[at * size + at]!).reduce((sum, one) => sum + one, 0);
};

/** What an operator's output goes into: the sum of a residual connection, against which its error is small. */
function sumOf(graph: Graph, node: Node): string {
  const output = node.outputs[0]!;
  const [sum, ...others] = graph.consumers(output);
  return sum?.opType === 'Add' && others.length === 0 && !graph.isOutput(output) ? sum.outputs[0]! : output;
}

/** Readers by group id; a group one of whose consumers has no moments (a grouped convolution) is left out. */
export async function readersOf(
  graph: Graph,
  trace: Trace,
  groups: readonly Group[],
  data: Dataset,
  feeding: BatchOptions,
): Promise<Map<string, Reader[]>> {
  const usable = groups.filter(({ consumers }) => consumers.every((node) => hasMoments(graph, node)));
  const nodes = [...new Set(usable.flatMap(({ consumers }) => consumers))];
  const measured = cloneGraph(graph);
  const values = new Map<Node, string>();
  const outputs = new Map<Node, string>();
  for (const node of nodes) {
    const own = measured.nodes.find(({ name }) => name === node.name)!;
    const rows = inputRows(measured, own);
    values.set(node, product(measured, rows, rows, `${node.name}/XX`));
    const given = withOnes(measured, targetRows(measured, own, sumOf(graph, node)), `${node.name}/given`);
    outputs.set(node, product(measured, given, given, `${node.name}/YY`));
  }
  const sums =
    values.size > 0 ? await sumOver(measured, [...values.values(), ...outputs.values()], data, feeding) : new Map();
  const read = new Map(trace.consumers.map(({ node, labels }) => [node, labels]));
  const readerOf = (group: Group, node: Node): Reader => {
    const rows = weightRows(graph, node);
    const { size } = rows;
    const labels = read.get(node)!;
    const places = size / labels.length;
    const columns = group.channels.map(({ root }) =>
      labels.flatMap((label, at) =>
        trace.classes.find(label) === root ? Array.from({ length: places }, (_, place) => at * places + place) : [],
      ),
    );
    const variance = totalVariance(sums.get(outputs.get(node)!)!, rows.outputs);
    return { ...rows, columns, variance, covariance: covarianceOf(sums.get(values.get(node)!)!, size) };
  };
  return new Map(usable.map((group) => [group.id, group.consumers.map((node) => readerOf(group, node))]));
}
