/** Reshape, Flatten and Transpose: where channels are spread over several axes, or over places, and come back. */
import { intOf, intsOf } from '../../onnx/node.js';
import { elementCount, int64Tensor } from '../../onnx/tensor.js';
import { type Channels, type Keeps, keptCount, type RuleContext } from './rule.js';
import { numbersFor } from './shape.js';

/**
 * The channels of a reshaped value, or null when they are not whole axes any more. `before` and `after` are shapes of one
 * run, channels of `before` lie on [axis, axis + span).
 */
export function reshaped(channels: Channels, before: readonly number[], after: readonly number[]): Channels | null {
  const outer = elementCount(before.slice(0, channels.axis));
  const inner = elementCount(before.slice(channels.axis + channels.span));
  let axis = 0;
  for (let size = 1; size < outer; axis++) size *= after[axis] ?? Number.POSITIVE_INFINITY;
  if (elementCount(after.slice(0, axis)) !== outer) return null;
  // A leading 1 (batch of one) belongs to the axes before the channels.
  while (after[axis] === 1 && elementCount(after.slice(axis)) > 1 && axis < channels.axis) axis++;
  let span = 0;
  for (let size = 1; size < channels.labels.length; span++) size *= after[axis + span] ?? Number.POSITIVE_INFINITY;
  const size = elementCount(after.slice(axis, axis + span));
  if (size === channels.labels.length) return { axis, span: Math.max(1, span), labels: channels.labels };
  // Flattened: every channel becomes as many neighbours as it has places [Flatten-13].
  if (span === 1 && size === channels.labels.length * inner) {
    return { axis, span: 1, labels: channels.labels.flatMap((label) => new Array<number>(inner).fill(label)) };
  }
  return null;
}

/** The rows and columns of grouped channels: a column goes only whole, so that what is left is a rectangle. */
function tieColumns(c: RuleContext, { labels, span, axis }: Channels, dims: readonly number[]): void {
  if (span !== 2) return;
  const columns = dims[axis + 1]!;
  for (const [at, label] of labels.entries()) c.unite(labels[at % columns]!, label);
}

export function reshape(c: RuleContext): void {
  const { node } = c;
  const [input, output] = [node.inputs[0]!, node.outputs[0]!];
  const channels = c.channels(input);
  if (!channels) return;
  const after = c.shape(output);
  const found = reshaped(channels, c.shape(input), after);
  const target = node.opType === 'Reshape' ? numbersFor(c, 1, 'shape') : [];
  const refused = `${node.opType} (${node.name}) mixes channels with other axes, or its shape is computed`;
  if (!found || found.span > 2 || !target) {
    c.freeze(channels, refused);
    return;
  }
  if (found.span === 2 && channels.span === 1) tieColumns(c, found, after);
  c.set(output, found);
  if (target.length === 0) return;
  c.edit((graph, keeps) => {
    // Of two axes the one whose rows were tied keeps its length: the groups of a shuffle.
    const lengths = found.span === 1 ? [keptCount(found.labels, keeps)] : lengthsOf(found, after, keeps);
    const shape = target.map((dim, axis) => {
      const length = lengths[axis - found.axis];
      return dim > 0 && length !== undefined ? length : dim;
    });
    graph.setInput(node, 1, graph.addConstant(`${node.name}/shape`, int64Tensor([shape.length], shape)));
  });
}

/** Lengths of the two axes of grouped channels after the cut: whole columns or whole rows have gone. */
function lengthsOf({ labels, axis }: Channels, dims: readonly number[], keeps: Keeps): number[] {
  const [rows, columns] = [dims[axis]!, dims[axis + 1]!];
  const keptColumns = Array.from({ length: columns }, (_, at) => at).filter((at) => keeps(labels[at]!)).length;
  const keptRows = Array.from({ length: rows }, (_, at) => at).filter((at) => keeps(labels[at * columns]!)).length;
  return keptColumns < columns ? [rows, keptColumns] : [keptRows, columns];
}

/** Transpose [ONNX Transpose-13]: channels move with their axis; two grouped axes may change places. */
export function transpose(c: RuleContext): void {
  const { node } = c;
  const channels = c.channels(node.inputs[0]!);
  if (!channels) return;
  const dims = c.shape(node.inputs[0]!);
  const order = intsOf(node, 'perm') ?? dims.map((_, at) => dims.length - 1 - at);
  const places = Array.from({ length: channels.span }, (_, at) => order.indexOf(channels.axis + at));
  const axis = Math.min(...places);
  if (Math.max(...places) - axis !== channels.span - 1) {
    c.freeze(channels, `Transpose (${node.name}) takes grouped channels apart`);
    return;
  }
  if (channels.span === 1 || places[0]! < places[1]!) {
    c.set(node.outputs[0]!, { ...channels, axis });
    return;
  }
  const [rows, columns] = [dims[channels.axis]!, dims[channels.axis + 1]!];
  const turned = channels.labels.map((_, at) => channels.labels[(at % rows) * columns + Math.floor(at / rows)]!);
  c.set(node.outputs[0]!, { axis, span: 2, labels: turned });
}

/** Flatten keeps what lies before its axis [ONNX Flatten-13]; the channels must lie behind it. */
export function flatten(c: RuleContext): void {
  const channels = c.channels(c.node.inputs[0]!);
  if (channels && intOf(c.node, 'axis', 1) > channels.axis) {
    c.freeze(channels, `Flatten (${c.node.name}) mixes channels with the batch`);
    return;
  }
  reshape(c);
}
