/** Removes channels from a graph, and silences them instead, which must give the same outputs. */
import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { elementBytes, elementCount, floatsOf, floatTensor, type Tensor } from '../onnx/tensor.js';
import { labelOfElement, type Slice, type Trace } from './trace.js';

/** A tensor without the places of one axis that are not kept. Works on bytes, so on every type. */
export function takeAlong(tensor: Tensor, axis: number, places: readonly number[]): Tensor {
  const outer = elementCount(tensor.dims.slice(0, axis));
  const size = tensor.dims[axis]!;
  const block = elementCount(tensor.dims.slice(axis + 1)) * elementBytes(tensor.type)!;
  const bytes = new Uint8Array(outer * places.length * block);
  for (let row = 0; row < outer; row++) {
    places.forEach((place, at) => {
      const from = (row * size + place) * block;
      bytes.set(tensor.bytes.subarray(from, from + block), (row * places.length + at) * block);
    });
  }
  return { type: tensor.type, dims: tensor.dims.with(axis, places.length), bytes };
}

const byInput = (slices: readonly Slice[]): Map<Node, Map<number, Slice[]>> => {
  const found = new Map<Node, Map<number, Slice[]>>();
  for (const slice of slices) {
    const inputs = found.get(slice.node) ?? new Map<number, Slice[]>();
    found.set(slice.node, inputs.set(slice.input, [...(inputs.get(slice.input) ?? []), slice]));
  }
  return found;
};

/** Cuts the classes of channels out of a graph that was traced, in place. Shared constants are copied, not changed. */
export function cutChannels(graph: Graph, trace: Trace, removed: ReadonlySet<number>): void {
  const keeps = (label: number): boolean => !removed.has(trace.classes.find(label));
  for (const [node, inputs] of byInput(trace.slices)) {
    for (const [input, slices] of inputs) {
      if (slices.every(({ labels }) => labels.every(keeps))) continue;
      let tensor = graph.constantOf(node, input)!;
      for (const { axis, labels } of slices) {
        tensor = takeAlong(
          tensor,
          axis,
          labels.flatMap((label, at) => (keeps(label) ? [at] : [])),
        );
      }
      graph.setInput(node, input, graph.addConstant(`${node.inputs[input]}/cut`, tensor));
    }
  }
  for (const edit of trace.edits) edit(graph, keeps);
}

/**
 * Lets no consumer read the removed channels, in place: zero weights where {@link cutChannels} has none. The two must
 * compute the same, whatever the activations between make of a zero.
 */
export function silenceChannels(graph: Graph, trace: Trace, removed: ReadonlySet<number>): void {
  const consumed = new Map(trace.consumers.map(({ node, labels }) => [node, labels]));
  for (const { node, input, axis, labels } of trace.slices) {
    const inputs = consumed.get(node);
    // The slice along which a consumer reads: its labels are the consumer's own, or those of its first group.
    if (input !== 1 || !inputs || labels.some((label, at) => label !== inputs[at])) continue;
    const tensor = graph.constantOf(node, 1)!;
    const weights = floatsOf(tensor)!;
    const labelAt = labelOfElement(tensor.dims, axis, labels);
    for (let at = 0; at < weights.length; at++) if (removed.has(trace.classes.find(labelAt(at)))) weights[at] = 0;
    graph.setInput(node, 1, graph.addConstant(`${node.inputs[1]}/silent`, floatTensor(tensor.dims, weights)));
  }
}
