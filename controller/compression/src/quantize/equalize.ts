import type { Graph } from '../onnx/graph.js';
import type { Node } from '../onnx/node.js';
import { elementCount, floatsOf, floatTensor } from '../onnx/tensor.js';
import { type ChannelSpace, isDepthwise } from './channel-spaces.js';
import type { ChannelFigures } from './channel-stats.js';

/** How far channels are drawn to the range of their tensor: 0 leaves them, 1 makes all ranges equal. */
const STRENGTHS = [0, 0.25, 0.5, 0.75, 1];
/** Channels are not stretched further than this: a channel that is all but dead holds nothing to keep. */
const STRETCH_MAX = 64;
const ACTIVATION_STEPS = 255;
const WEIGHT_STEPS = 127;

const magnitude = ({ min, max }: ChannelFigures, channel: number): number => Math.max(0, -min[channel]!, max[channel]!);

/**
 * For each channel, its range as a share of its tensor's, the largest over the values of the space: dividing by it
 * makes no tensor's range larger. At most 1, so that Clip(0, b) still clips at b or above what the channel reaches.
 */
export function rangeShares(space: ChannelSpace, figures: ReadonlyMap<string, ChannelFigures>): Float64Array {
  const shares = new Float64Array(space.channels);
  for (const value of space.values) {
    const found = figures.get(value);
    if (found?.max.length !== space.channels) continue;
    const ranges = Float64Array.from({ length: space.channels }, (_, channel) => magnitude(found, channel));
    const whole = ranges.reduce((most, range) => Math.max(most, range), 0);
    if (whole > 0)
      ranges.forEach((range, channel) => {
        shares[channel] = Math.max(shares[channel]!, range / whole);
      });
  }
  return shares.map((share) => Math.max(share, 1 / STRETCH_MAX));
}

/** What the noise of one reader depends on: its weights [O, C, K] and the figures of its input. */
interface Reader {
  readonly weights: Float32Array;
  readonly outputs: number;
  readonly depthwise: boolean;
  readonly figures: ChannelFigures;
}

/**
 * Expected squared error of a reader's outputs when input channel c is divided by s[c] and its weights multiplied:
 * the step of the activations d^2/12 times |w|^2, plus the step of each filter's weights times E[x^2].
 */
export function noiseOf({ weights, outputs, depthwise, figures }: Reader, s: Float64Array): number {
  const channels = depthwise ? outputs : s.length;
  let range = 0;
  for (let c = 0; c < channels; c++) range = Math.max(range, magnitude(figures, c) / s[c]!);
  const step = range / ACTIVATION_STEPS;
  const block = weights.length / outputs;
  const kernel = depthwise ? block : block / channels;
  const powers = Float64Array.from({ length: channels }, (_, c) => (kernel * figures.power[c]!) / (s[c]! * s[c]!));
  const power = powers.reduce((sum, one) => sum + one, 0);
  let noise = 0;
  for (let o = 0, at = 0; o < outputs; o++) {
    let [most, squares] = [0, 0];
    for (let c = depthwise ? o : 0; c < (depthwise ? o + 1 : channels); c++) {
      const factor = s[c]!;
      for (const end = at + kernel; at < end; at++) {
        const w = Math.abs(weights[at]! * factor);
        if (w > most) most = w;
        squares += w * w;
      }
    }
    noise += step * step * squares + (most / WEIGHT_STEPS) ** 2 * (depthwise ? powers[o]! : power);
  }
  return noise / 12;
}

/** The factors of a space with the least expected noise, and whether they are worth applying. Pure. */
export function chooseFactors(
  graph: Graph,
  space: ChannelSpace,
  figures: ReadonlyMap<string, ChannelFigures>,
): Float64Array | null {
  const shares = rangeShares(space, figures);
  const readers = space.consumers.flatMap((conv): Reader[] => {
    const input = figures.get(conv.inputs[0]!);
    const tensor = graph.constantOf(conv, 1)!;
    if (input?.max.length !== space.channels) return [];
    const depthwise = isDepthwise(graph, conv);
    return [{ weights: floatsOf(tensor)!, outputs: tensor.dims[0]!, depthwise, figures: input }];
  });
  if (readers.length === 0) return null;
  let best: { strength: number; noise: number } | null = null;
  for (const strength of STRENGTHS) {
    const s = shares.map((share) => share ** strength);
    const noise = readers.reduce((sum, reader) => sum + noiseOf(reader, s), 0);
    if (!best || noise < best.noise) best = { strength, noise };
  }
  return best!.strength === 0 ? null : shares.map((share) => share ** best!.strength);
}

/**
 * Cross-layer equalization, in place: W1 / s and b1 / s in every producer, W2 s in every reader, which computes the
 * same. A Clip keeps its bounds: s <= 1, so it clips where channel c reached its own largest value or above.
 * [Nagel et al. 2019, 4.1; extended from pairs to whole residual streams]
 */
export function applyFactors(graph: Graph, space: ChannelSpace, s: Float64Array): void {
  for (const conv of space.producers) {
    const divide = (input: number): void => {
      const tensor = graph.constantOf(conv, input);
      if (!tensor) return;
      const block = elementCount(tensor.dims.slice(1));
      setFloats(graph, conv, input, (value, at) => value / s[Math.floor(at / block)]!);
    };
    divide(1);
    divide(2);
  }
  for (const conv of space.consumers) {
    const { dims } = graph.constantOf(conv, 1)!;
    const kernel = elementCount(dims.slice(2));
    const depthwise = isDepthwise(graph, conv);
    setFloats(graph, conv, 1, (value, at) => value * s[Math.floor(at / kernel) % (depthwise ? dims[0]! : dims[1]!)]!);
  }
}

function setFloats(graph: Graph, node: Node, input: number, change: (value: number, at: number) => number): void {
  const tensor = graph.constantOf(node, input)!;
  const values = floatsOf(tensor)!.map(change);
  graph.setInput(node, input, graph.addConstant(`${node.inputs[input]}/equalized`, floatTensor(tensor.dims, values)));
}
