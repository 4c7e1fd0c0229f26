/** Operators that compute each channel from itself, alone or with its partner in another value. */
import { onAxis, type RuleContext } from './rule.js';

/** One value in, the same channels out. */
export function carry(c: RuleContext): void {
  c.set(c.node.outputs[0]!, c.channels(c.node.inputs[0]!));
}

/** BatchNormalization and InstanceNormalization: every further input has one element a channel. */
export function perChannel(c: RuleContext): void {
  const { node } = c;
  const channels = c.channels(node.inputs[0]!);
  const labels = onAxis(channels, 1);
  const constant = node.inputs.every((value, at) => at === 0 || !value || c.graph.constants.has(value));
  if (!labels || !constant) {
    c.freeze(channels, `${node.opType} (${node.name}) cannot lose channels`);
    return;
  }
  for (const [at, value] of node.inputs.entries()) if (at > 0 && value) c.slice(at, 0, labels);
  c.set(node.outputs[0]!, channels);
}

/** Operators with broadcasting over all their inputs [ONNX, "Broadcasting"]: axes are aligned from the right. */
export function broadcast(c: RuleContext): void {
  const { node } = c;
  const inputs = node.inputs.map((value, at) => ({ value, at, dims: c.shape(value) })).filter(({ value }) => value);
  const rank = Math.max(...inputs.map(({ dims }) => dims.length));
  const traced = inputs.filter(({ value }) => c.channels(value));
  if (traced.length === 0) return;
  const place = (value: string, dims: readonly number[]): number => c.channels(value)!.axis + rank - dims.length;
  const axis = place(traced[0]!.value, traced[0]!.dims);
  const { labels } = c.channels(traced[0]!.value)!;
  const fits = ({ value, dims }: (typeof inputs)[number]): boolean =>
    c.channels(value)!.span === 1 && place(value, dims) === axis && c.channels(value)!.labels.length === labels.length;
  if (!traced.every(fits)) {
    for (const { value } of traced) c.freeze(c.channels(value), `${node.opType} (${node.name}) joins unlike shapes`);
    return;
  }
  for (const { value, at, dims } of inputs) {
    const own = c.channels(value);
    const size = dims[axis - (rank - dims.length)] ?? 1;
    if (own) for (const [channel, label] of own.labels.entries()) c.unite(labels[channel]!, label);
    else if (size > 1 && !c.graph.constants.has(value))
      c.freeze(c.channels(traced[0]!.value), `${node.opType} (${node.name}) joins it with ${value}, which stays`);
    else if (size > 1) c.slice(at, axis - (rank - dims.length), labels);
  }
  c.set(node.outputs[0]!, { axis, span: 1, labels });
}

/** Operators over one axis or some (Softmax, ReduceMean): what they do not reduce passes. */
export const acrossAxes =
  (axesOf: (c: RuleContext) => { axes: number[]; keepdims: boolean } | null): ((c: RuleContext) => void) =>
  (c) => {
    const [input, output] = [c.node.inputs[0]!, c.node.outputs[0]!];
    const channels = c.channels(input);
    if (!channels) return;
    const across = axesOf(c);
    const last = channels.axis + channels.span - 1;
    if (!across || across.axes.some((axis) => axis >= channels.axis && axis <= last)) {
      c.freeze(channels, `${c.node.opType} (${c.node.name}) computes across channels`);
      return;
    }
    const gone = across.keepdims ? 0 : across.axes.filter((axis) => axis < channels.axis).length;
    c.set(output, { ...channels, axis: channels.axis - gone });
  };
