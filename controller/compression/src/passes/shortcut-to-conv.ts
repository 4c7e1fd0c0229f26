import type { Graph } from '../onnx/graph.js';
import { intsAttribute, type Node } from '../onnx/node.js';
import { floatTensor, numbersOf } from '../onnx/tensor.js';
import { definePass, no, yes } from './pass.js';

interface Found {
  readonly slice: Node;
  readonly pad: Node;
  readonly channels: number;
  readonly strides: readonly [number, number];
  readonly before: number;
  readonly after: number;
}

/**
 * The shortcut without parameters of a residual network, Slice with a step over height and width and Pad of the
 * channels with zeros, becomes one Conv of 1x1 with one-hot filters: y_o = 1 * x_(o - before), or 0. A kernel for
 * blocks of channels does it in one go, and the channels of both sides can be scaled together.
 * [He et al. 2016, 3.3, option A]
 */
export const shortcutToConv = definePass<Found>({
  name: 'shortcut-to-conv',
  anchors: ['Pad'],
  match(graph, pad) {
    const slice = graph.producer(pad.inputs[0]!);
    if (slice?.opType !== 'Slice') return no('');
    if (!graph.isSoleUse(slice.outputs[0]!, pad)) return no(`${slice.name} feeds other nodes too`);
    const widened = channelPads(graph, pad);
    if (!widened) return no('it pads more than the channels, or not with zeros');
    const strides = spatialSteps(graph, slice);
    if (!strides) return no(`${slice.name} takes more than every k-th row and column`);
    const channels = channelsOf(graph, slice.inputs[0]!);
    if (channels === null) return no(`the number of channels of ${slice.inputs[0]} is not known`);
    return yes({ slice, pad, channels, strides, before: widened[0], after: widened[1] });
  },
  rewrite(graph, { slice, pad, channels, strides, before, after }) {
    const outputs = before + channels + after;
    const filters = new Float32Array(outputs * channels);
    for (let c = 0; c < channels; c++) filters[(before + c) * channels + c] = 1;
    const weights = graph.addConstant(`${pad.name}/filters`, floatTensor([outputs, channels, 1, 1], filters));
    const kernel = intsAttribute('kernel_shape', [1, 1]);
    graph.add(
      {
        name: `${pad.name}/conv`,
        opType: 'Conv',
        inputs: [slice.inputs[0]!, weights],
        outputs: [pad.outputs[0]!],
        attributes: [kernel, intsAttribute('strides', strides)],
      },
      pad,
    );
    graph.remove(pad);
    graph.remove(slice);
  },
});

/** Zeros before and after the channels of [N, C, H, W], when that is all it adds. */
function channelPads(graph: Graph, pad: Node): [number, number] | null {
  const [pads, value] = [graph.constantOf(pad, 1), graph.constantOf(pad, 2)];
  const mode = pad.attributes.get('mode');
  if (!pads || pad.inputs[3] || (pad.inputs[2] && (!value || numbersOf(value)[0] !== 0))) return null;
  if (mode && new TextDecoder().decode(mode.s) !== 'constant') return null;
  const sizes = numbersOf(pads);
  const others = sizes.filter((size, at) => at % 4 !== 1 && size !== 0);
  const [before, after] = [sizes[1]!, sizes[5]!];
  return sizes.length === 8 && others.length === 0 && before >= 0 && after >= 0 ? [before, after] : null;
}

/** Steps over height and width from the first to the last row and column. */
function spatialSteps(graph: Graph, slice: Node): [number, number] | null {
  const given = [1, 2, 3, 4].map((input) => graph.constantOf(slice, input));
  if (given.some((tensor) => !tensor)) return null;
  const [starts, ends, axes, steps] = given.map((tensor) => numbersOf(tensor!)) as [
    number[],
    number[],
    number[],
    number[],
  ];
  const strides: [number, number] = [1, 1];
  for (const [at, axis] of axes.entries()) {
    const whole = starts[at] === 0 && ends[at]! >= 2 ** 31 - 1 && steps[at]! >= 1;
    if (!whole || (axis !== 2 && axis !== 3)) return null;
    strides[axis - 2] = steps[at]!;
  }
  return strides;
}

const KEEPS_CHANNELS = new Set(['Relu', 'LeakyRelu', 'Clip', 'Add', 'MaxPool', 'AveragePool', 'Identity']);

/** Channels of a value, from the constants of the node that makes it; null when that does not say. */
function channelsOf(graph: Graph, value: string): number | null {
  const producer = graph.producer(value);
  if (!producer) return null;
  if (producer.opType === 'Conv') return graph.constantOf(producer, 1)?.dims[0] ?? null;
  if (producer.opType === 'BatchNormalization') return graph.constantOf(producer, 1)?.dims[0] ?? null;
  return KEEPS_CHANNELS.has(producer.opType) ? channelsOf(graph, producer.inputs[0]!) : null;
}
