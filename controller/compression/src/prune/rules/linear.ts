/** Operators that mix channels: what they read ends there, what they make begins there. */
import { intAttribute, intOf } from '../../onnx/node.js';
import { type Channels, keptCount, onAxis, type RuleContext } from './rule.js';

/** The channels of an input, fixed ones where it has none: they are read, and never removed. */
function channelsIn(c: RuleContext, count: number): readonly number[] {
  const [input] = c.node.inputs;
  const found = c.channels(input!);
  const labels = onAxis(found, 1);
  if (labels?.length === count) return labels;
  c.freeze(found, `${c.node.opType} (${c.node.name}) reads it along another axis`);
  const fixed: Channels = { axis: 1, span: 1, labels: c.make(count) };
  c.freeze(fixed, `${input} does not come from a layer`);
  return fixed.labels;
}

/** Slot j of every group goes or stays together, so that the groups keep one size [ONNX Conv-11, "group"]. */
function tieGroups(c: RuleContext, labels: readonly number[], groups: number): void {
  const size = labels.length / groups;
  for (let at = size; at < labels.length; at++) c.unite(labels[at % size]!, labels[at]!);
}

/** Ends the channels that a dense or grouped operator reads, and begins those that it makes. */
function mix(c: RuleContext, inputs: readonly number[], count: number, groups: number): readonly number[] {
  const made = c.make(count);
  if (groups > 1) for (const labels of [inputs, made]) tieGroups(c, labels, groups);
  c.consumes(inputs);
  c.produces(made);
  return made;
}

/** The channels that a depthwise operator carries through, each as often as its multiplier says. */
function carryDepthwise(c: RuleContext, inputs: readonly number[], multiplier: number): readonly number[] {
  c.edit((graph, keeps) => graph.setAttribute(c.node, 'group', intAttribute('group', keptCount(inputs, keeps))));
  return inputs.flatMap((label) => new Array<number>(multiplier).fill(label));
}

/** The bias has an element a channel of the output. */
function finish(c: RuleContext, made: readonly number[]): void {
  if (c.node.inputs[2]) c.slice(2, 0, made);
  c.set(c.node.outputs[0]!, { axis: 1, span: 1, labels: made });
}

/** Conv [ONNX Conv-11]: W [O, I/group, ...]; depthwise, with or without a multiplier, carries its channels through. */
export function conv(c: RuleContext): void {
  const { node } = c;
  const [outputs = 0, perGroup = 0] = c.shape(node.inputs[1]!);
  const groups = intOf(node, 'group', 1);
  const inputs = channelsIn(c, perGroup * groups);
  if (!c.graph.constantOf(node, 1)) {
    freezeBoth(c, inputs, 'its weights are not constant');
    return;
  }
  let made: readonly number[];
  if (groups > 1 && perGroup === 1) {
    made = carryDepthwise(c, inputs, outputs / groups);
  } else {
    made = mix(c, inputs, outputs, groups);
    c.slice(1, 1, inputs.slice(0, perGroup));
  }
  c.slice(1, 0, made);
  finish(c, made);
}

/** ConvTranspose [ONNX ConvTranspose-11]: W [I, O/group, ...]. */
export function convTranspose(c: RuleContext): void {
  const { node } = c;
  const [count = 0, perGroup = 0] = c.shape(node.inputs[1]!);
  const groups = intOf(node, 'group', 1);
  const inputs = channelsIn(c, count);
  if (!c.graph.constantOf(node, 1)) {
    freezeBoth(c, inputs, 'its weights are not constant');
    return;
  }
  let made: readonly number[];
  if (groups > 1 && groups === count) {
    made = carryDepthwise(c, inputs, perGroup);
  } else {
    made = mix(c, inputs, perGroup * groups, groups);
    c.slice(1, 1, made.slice(0, perGroup));
  }
  c.slice(1, 0, inputs);
  finish(c, made);
}

/** Gemm [ONNX Gemm-13]: A [M, K], B [K, N] or its transpose, C broadcast to [M, N]. */
export function gemm(c: RuleContext): void {
  const { node } = c;
  const transposed = intOf(node, 'transB', 0) === 1;
  const [rows = 0, columns = 0] = c.shape(node.inputs[1]!);
  const [inner, outer] = transposed ? [columns, rows] : [rows, columns];
  if (intOf(node, 'transA', 0) === 1) {
    c.freeze(c.channels(node.inputs[0]!), `${node.name} transposes it`);
    return;
  }
  const inputs = channelsIn(c, inner);
  if (!c.graph.constantOf(node, 1)) {
    freezeBoth(c, inputs, 'its weights are not constant');
    return;
  }
  const made = c.make(outer);
  c.slice(1, transposed ? 1 : 0, inputs);
  c.slice(1, transposed ? 0 : 1, made);
  c.consumes(inputs);
  c.produces(made);
  const bias = node.inputs[2] ? c.shape(node.inputs[2]) : [];
  if (bias.at(-1) === outer && outer > 1) {
    if (!c.graph.constantOf(node, 2)) {
      freezeBoth(c, made, 'its bias is not constant');
      return;
    }
    c.slice(2, bias.length - 1, made);
  }
  c.set(node.outputs[0]!, { axis: 1, span: 1, labels: made });
}

/** MatMul [ONNX MatMul-13] by a constant [K, N]: the last axis is mixed, all others stay. */
export function matMul(c: RuleContext): void {
  const { node } = c;
  const [left, right] = node.inputs as [string, string];
  const weights = c.graph.constantOf(node, 1);
  const rank = c.shape(left).length;
  const labels = onAxis(c.channels(left), rank - 1);
  if (weights?.dims.length !== 2 || !labels) {
    for (const value of [left, right]) c.freeze(c.channels(value), `MatMul (${node.name}) mixes it along another axis`);
    if (weights?.dims.length !== 2) return;
  }
  if (labels) {
    c.slice(1, 0, labels);
    c.consumes(labels);
  }
  const made = c.make(weights.dims[1]!);
  c.slice(1, 1, made);
  c.produces(made);
  c.set(node.outputs[0]!, { axis: rank - 1, span: 1, labels: made });
}

function freezeBoth(c: RuleContext, labels: readonly number[], why: string): void {
  c.freeze({ axis: 1, span: 1, labels }, `${c.node.opType} (${c.node.name}): ${why}`);
}
