/** Training with signs: the straight-through gradients by their formulas, and a trained layer in the bit-packed kernel. */
import { inspectModel } from '@espalier/compression';
import { binaryLayers } from '@espalier/compression/binary/layers';
import { PackedConv } from '@espalier/compression/binary/packed-conv';
import { openDataset } from '@espalier/compression/data/dataset';
import { firstFeeds } from '@espalier/compression/data/feeds';
import { readChecked } from '@espalier/compression/inspect';
import { cloneGraph, encodeModel } from '@espalier/compression/onnx/codec';
import { runShapes } from '@espalier/compression/runtime/run-shapes';
import { Session } from '@espalier/compression/runtime/session';
import { graphOf } from '@espalier/compression/train/graph-of';
import { TrainRecipe } from '@espalier/compression/train/recipe';
import { RULES } from '@espalier/compression/train/rules/index';
import { Tape } from '@espalier/compression/train/tape';
import { train } from '@espalier/compression/train/train';
import { Tensor } from 'onnxruntime-node';
import t from 'tap';
import { sample } from '../support/sample.ts';
import { noise, tinyGraph } from '../support/tiny.ts';

/** Output and input gradients of one operator, all gradients of the output being `dy`. */
async function ruled(opType: string, given: Record<string, [number[], Float32Array]>, dy: Float32Array) {
  const tape = new Tape(1);
  const names = Object.keys(given);
  const inputs = names.map((name) => tape.declare(name, given[name]![0]));
  const node = tinyGraph({ inputs: {}, outputs: ['y'], nodes: [[opType, names, ['y']]] }).nodes[0]!;
  const traced = RULES.get(opType)!({
    ...{ tape, node, inputs, needs: names.map(() => true), batch: { declared: null, trained: 1 } },
    ...{ constant: () => undefined, setStatistic: () => undefined },
  });
  const gradients = traced.backward([tape.declare('dy', tape.shape(traced.outputs[0]!))]);
  const outputs = { y: traced.outputs[0]!, ...Object.fromEntries(gradients.map((one, at) => [`d${names[at]}`, one])) };
  const asked = Object.fromEntries(Object.entries(outputs).filter(([, value]) => value)) as Record<string, string>;
  const session = await Session.open(encodeModel(graphOf(tape, [...inputs, 'dy'], asked)), opType);
  const feeds = Object.entries({ ...given, dy: [tape.shape('dy'), dy] as const });
  const made = await session.floats(
    Object.fromEntries(feeds.map(([name, [dims, data]]) => [name, new Tensor('float32', data, [...dims])])),
  );
  await session.dispose();
  return Object.fromEntries(Object.entries(made).map(([name, { data }]) => [name, [...data]]));
}

t.test(
  'signs of weights: the mean size for each filter, and a gradient that stops where a weight is large',
  async (t) => {
    const w = Float32Array.of(0.5, -1.5, 0.25, 0.75, -0.75, 0);
    const dy = Float32Array.of(1, 1, 2, 1, 1, 1);
    const { y, dw } = await ruled('BinaryWeights', { w: [[2, 3, 1, 1], w] }, dy);
    t.strictSame(y, [0.75, -0.75, 0.75, 0.5, -0.5, -0.5]);
    const wanted = [1 / 3 + 0.75, 1 / 3, 2 * (1 / 3 + 0.75), 1 / 3 + 0.5, 1 / 3 + 0.5, 1 / 3 + 0.5];
    t.ok(
      dw!.every((value, at) => Math.abs(value - wanted[at]!) < 1e-6),
      `${dw}`,
    );
  },
);

t.test('signs of activations: about a threshold for each channel, with the gradient of a clip', async (t) => {
  const x = Float32Array.of(1, 2.5, -1, 0.5);
  const given = {
    ...{ x: [[1, 2, 1, 2], x] as [number[], Float32Array] },
    threshold: [[1, 2, 1, 1], Float32Array.of(1, 0)] as [number[], Float32Array],
    width: [[1, 2, 1, 1], Float32Array.of(0.5, 2)] as [number[], Float32Array],
  };
  const { y, dx, dthreshold } = await ruled('BinaryActivations', given, Float32Array.of(1, 1, 1, 3));
  t.strictSame(y, [-1, 1, -1, 1], 'a value at its threshold is -1');
  t.strictSame(dx, [2, 0, 0.5, 1.5]);
  t.strictSame(dthreshold, [-2, -2]);
});

/** A small network with one inner convolution, that has learnt nothing. */
const untaught = () =>
  tinyGraph({
    inputs: { image: ['N', 1, 28, 28] },
    outputs: ['y'],
    constants: {
      ...{ wa: noise([32, 1, 3, 3], 1, 0.5), wb: noise([32, 32, 3, 3], 2, 0.12), bb: noise([32], 3, 0.1) },
      ...{ wg: noise([10, 32], 4, 0.4), bg: noise([10], 5, 0.1) },
    },
    nodes: [
      ['Conv', ['image', 'wa'], ['a'], { pads: [1, 1, 1, 1], strides: [2, 2] }],
      ['Relu', ['a'], ['ra']],
      ['Conv', ['ra', 'wb', 'bb'], ['b'], { pads: [1, 1, 1, 1], strides: [2, 2] }],
      ['Relu', ['b'], ['rb']],
      ['GlobalAveragePool', ['rb'], ['p']],
      ['Flatten', ['p'], ['f'], { axis: 1 }],
      ['Gemm', ['f', 'wg', 'bg'], ['y'], { transB: 1 }],
    ],
  });

t.test(
  'a network learns with signs, and its layer gives the same in the kernel as in the lowered network',
  async (t) => {
    const { preprocess } = await inspectModel(sample.model);
    const data = await openDataset(sample.calibrate);
    const input = { name: 'image', type: 'float32', shape: ['N', 1, 28, 28] };
    const optimizer = { kind: 'adamw', rate: 0.01 };
    const recipe = TrainRecipe.parse({ stages: [{ epochs: 6, batch: 32, binarize: true, optimizer }] });
    const common = { data, input, preprocess, teacher: null, seed: 1, workers: 1 };
    const { simulated, history } = await train(untaught(), { ...common, recipe });
    t.ok(
      history.at(-1)!.loss < 0.9 * history[0]!.loss,
      `the loss falls: ${history.map(({ loss }) => loss.toFixed(2))}`,
    );
    const feeds = (await firstFeeds(data, { inputs: [input], preprocess, batchSize: 1, seed: 1 }, 1))!;
    const [layer, ...others] = binaryLayers(simulated!, await runShapes(simulated!, feeds));
    t.ok(layer && others.length === 0, 'the inner convolution and no other');
    if (!layer) return;
    const { height, width, channels, filters } = layer.shape;
    const session = await Session.open(encodeModel(cloneGraph(simulated!, [layer.input, layer.output])), 'lowered');
    const made = await session.floats(feeds);
    await session.dispose();
    const kernel = new PackedConv(layer);
    const [x, y] = [made[layer.input]!.data, made[layer.output]!.data];
    for (let at = 0; at < x.length; at++) {
      const [channel, place] = [Math.floor(at / (height * width)), at % (height * width)];
      kernel.input[place * channels + channel] = x[at]!;
    }
    kernel.run();
    const places = y.length / filters;
    const found = Float32Array.from(y, (_, at) => {
      const [filter, place] = [Math.floor(at / places), at % places];
      return kernel.output[place * filters + filter]! + (layer.bias?.[filter] ?? 0);
    });
    const largest = y.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    t.ok(found.every((value, at) => Math.abs(value - y[at]!) < 1e-5 * largest));
    const nothing = train(await readChecked(sample.model), { ...common, recipe });
    await t.rejects(nothing, { code: 'ESP_NOTHING_BINARIZABLE' }, 'depthwise and pointwise layers stay as they are');
  },
);
