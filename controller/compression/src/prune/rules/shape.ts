/** Operators that move channels without computing: joined, parted, picked, reshaped, turned. */
import type { Graph } from '../../onnx/graph.js';
import { intOf, intsAttribute, intsOf, type Node } from '../../onnx/node.js';
import { int64Tensor, numbersOf } from '../../onnx/tensor.js';
import { fromStart, keptCount, onAxis, type RuleContext } from './rule.js';

/** Numbers that a node reads from a constant input, or from an attribute of older operator sets. */
export function numbersFor(c: RuleContext, input: number, attribute: string): number[] | null {
  const constant = c.graph.constantOf(c.node, input);
  if (constant) return numbersOf(constant);
  return c.node.inputs[input] ? null : intsOf(c.node, attribute);
}

/** Writes numbers back to where {@link numbersFor} read them. */
function setNumbers(graph: Graph, node: Node, input: number, attribute: string, numbers: readonly number[]): void {
  if (node.inputs[input]) {
    graph.setInput(node, input, graph.addConstant(`${node.name}/${attribute}`, int64Tensor([numbers.length], numbers)));
  } else {
    graph.setAttribute(node, attribute, intsAttribute(attribute, [...numbers]));
  }
}

/** Concat [ONNX Concat-13]: along the channels the lists are joined, along another axis they are one. */
export function concat(c: RuleContext): void {
  const { node } = c;
  const rank = c.shape(node.outputs[0]!).length;
  const axis = fromStart(intOf(node, 'axis', 1), rank);
  const all = node.inputs.map((value) => ({ value, channels: c.channels(value), dims: c.shape(value) }));
  const traced = all.find(({ channels }) => channels)?.channels;
  if (!traced) return;
  if (traced.span !== 1 || all.some(({ channels }) => channels && channels.axis !== traced.axis)) {
    for (const { channels } of all) c.freeze(channels, `Concat (${node.name}) joins unlike shapes`);
    return;
  }
  const lists = all.map(({ value, channels, dims }) => {
    if (channels) return channels.labels;
    const fixed = c.make(dims[traced.axis] ?? 1);
    c.freeze({ ...traced, labels: fixed }, `${value} does not come from a layer`);
    return fixed;
  });
  if (axis === traced.axis) {
    c.set(node.outputs[0]!, { ...traced, labels: lists.flat() });
    return;
  }
  for (const list of lists) for (const [at, label] of list.entries()) c.unite(lists[0]![at]!, label);
  c.set(node.outputs[0]!, traced);
}

/** Split [ONNX Split-18]: each output takes its part of the list, and the sizes are counted again. */
export function split(c: RuleContext): void {
  const { node } = c;
  const channels = c.channels(node.inputs[0]!);
  if (!channels) return;
  const rank = c.shape(node.inputs[0]!).length;
  if (fromStart(intOf(node, 'axis', 0), rank) !== channels.axis) {
    for (const output of node.outputs) c.set(output, channels);
    return;
  }
  const labels = onAxis(channels, channels.axis);
  if (!labels) {
    c.freeze(channels, `Split (${node.name}) parts grouped channels`);
    return;
  }
  const parts: (readonly number[])[] = [];
  let from = 0;
  for (const output of node.outputs) {
    const size = c.shape(output)[channels.axis] ?? 0;
    parts.push(labels.slice(from, from + size));
    c.set(output, { ...channels, labels: parts.at(-1)! });
    from += size;
  }
  c.edit((graph, keeps) => {
    const sizes = parts.map((part) => keptCount(part, keeps));
    // From opset 13 on sizes are an input; an absent one means equal parts, which they may no longer be.
    if (graph.opset() >= 13) {
      graph.setInput(node, 1, graph.addConstant(`${node.name}/split`, int64Tensor([sizes.length], sizes)));
      graph.setAttribute(node, 'num_outputs', null);
    } else setNumbers(graph, node, 1, 'split', sizes);
  });
}

/** Slice [ONNX Slice-13] by constants with step 1 along the channels. */
export function slice(c: RuleContext): void {
  const { node } = c;
  const channels = c.channels(node.inputs[0]!);
  if (!channels) return;
  const refuse = (): void => c.freeze(channels, `Slice (${node.name}) takes channels in a way that is not traced`);
  const [starts, ends] = [numbersFor(c, 1, 'starts'), numbersFor(c, 2, 'ends')];
  const steps = node.inputs[4] ? numbersFor(c, 4, 'steps') : [];
  const rank = c.shape(node.inputs[0]!).length;
  const axes = (numbersFor(c, 3, 'axes') ?? starts?.map((_, at) => at))?.map((axis) => fromStart(axis, rank));
  if (!starts || !ends || !axes || !steps) {
    refuse();
    return;
  }
  const at = axes.indexOf(channels.axis);
  if (at < 0 && channels.span === 1) {
    c.set(node.outputs[0]!, channels);
    return;
  }
  const labels = onAxis(channels, channels.axis);
  if (!labels || (steps[at] ?? 1) !== 1) {
    refuse();
    return;
  }
  const clamp = (position: number): number =>
    Math.min(labels.length, Math.max(0, position < 0 ? position + labels.length : position));
  const [from, to] = [clamp(starts[at]!), clamp(ends[at]!)];
  c.set(node.outputs[0]!, { ...channels, labels: labels.slice(from, to) });
  c.edit((graph, keeps) => {
    const before = keptCount(labels.slice(0, from), keeps);
    const after = before + keptCount(labels.slice(from, to), keeps);
    setNumbers(graph, node, 1, 'starts', starts.with(at, before));
    setNumbers(graph, node, 2, 'ends', ends.with(at, after));
  });
}

/** Gather [ONNX Gather-13] of constant places along the channels: the list is picked, the places are counted again. */
export function gather(c: RuleContext): void {
  const { node } = c;
  const channels = c.channels(node.inputs[0]!);
  if (!channels) return;
  const indices = c.graph.constantOf(node, 1);
  const rank = c.shape(node.inputs[0]!).length;
  const along = fromStart(intOf(node, 'axis', 0), rank) === channels.axis;
  if (indices?.dims.length !== 1 || (along && channels.span !== 1)) {
    c.freeze(channels, `Gather (${node.name}) takes channels in a way that is not traced`);
    return;
  }
  if (!along) {
    c.set(node.outputs[0]!, channels);
    return;
  }
  const { labels } = channels;
  const picks = numbersOf(indices).map((index) => fromStart(index, labels.length));
  c.set(node.outputs[0]!, { ...channels, labels: picks.map((pick) => labels[pick]!) });
  c.edit((graph, keeps) => {
    const places = picks.filter((pick) => keeps(labels[pick]!)).map((pick) => keptCount(labels.slice(0, pick), keeps));
    graph.setInput(node, 1, graph.addConstant(`${node.name}/indices`, int64Tensor([places.length], places)));
  });
}

/** Pad [ONNX Pad-19]: outside the channels only. */
export function pad(c: RuleContext): void {
  const channels = c.channels(c.node.inputs[0]!);
  if (!channels) return;
  const pads = numbersFor(c, 1, 'pads');
  const rank = c.shape(c.node.inputs[0]!).length;
  const touched = !pads || pads.length !== 2 * rank || pads[channels.axis] || pads[channels.axis + rank];
  if (touched || c.node.inputs[3]) {
    c.freeze(channels, `Pad (${c.node.name}) may add channels`);
    return;
  }
  c.set(c.node.outputs[0]!, channels);
}

/** Resize and Upsample: `sizes`, when given, counts the channels too. */
export function resize(c: RuleContext): void {
  const { node } = c;
  const channels = c.channels(node.inputs[0]!);
  if (!channels) return;
  const labels = onAxis(channels, 1);
  const sizes = node.inputs[3] ? numbersFor(c, 3, 'sizes') : [];
  if (!labels || !sizes || node.attributes.has('axes')) {
    c.freeze(channels, `Resize (${node.name}) is not traced`);
    return;
  }
  c.set(node.outputs[0]!, channels);
  if (sizes.length > 0)
    c.edit((graph, keeps) => setNumbers(graph, node, 3, 'sizes', sizes.with(1, keptCount(labels, keeps))));
}

export const moveAxes =
  (direction: 'squeeze' | 'unsqueeze'): ((c: RuleContext) => void) =>
  (c) => {
    const channels = c.channels(c.node.inputs[0]!);
    if (!channels) return;
    const [before, after] = [c.shape(c.node.inputs[0]!).length, c.shape(c.node.outputs[0]!).length];
    const axes = numbersFor(c, 1, 'axes')?.map((axis) => fromStart(axis, direction === 'squeeze' ? before : after));
    if (!axes || channels.span !== 1) {
      c.freeze(channels, `${c.node.opType} (${c.node.name}) is not traced`);
      return;
    }
    let axis = channels.axis;
    for (const one of axes.toSorted((a, b) => a - b)) {
      if (direction === 'unsqueeze' && one <= axis) axis++;
    }
    if (direction === 'squeeze') axis -= axes.filter((one) => one < channels.axis).length;
    c.set(c.node.outputs[0]!, { ...channels, axis });
  };
