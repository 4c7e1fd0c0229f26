/** One layer three ways, by turns on one thread: bit-packed, float and int8. The binary time has packing and scaling in it. */
import type { BinaryShape } from '@espalier/compression/binary/layout';
import { PackedConv } from '@espalier/compression/binary/packed-conv';
import { randomFrom } from '@espalier/compression/data/feeds';
import { encodeModel } from '@espalier/compression/onnx/codec';
import { floatTensor, int8Tensor, uint8Tensor } from '@espalier/compression/onnx/tensor';
import { quantile } from '@espalier/compression/recipe/latency';
import { defaultOptions, Session } from '@espalier/compression/runtime/session';
import { graphOf } from '@espalier/compression/train/graph-of';
import { Tape } from '@espalier/compression/train/tape';
import { Tensor } from 'onnxruntime-node';
import type { Bench, Row } from '../training/row.ts';

const ROUNDS = 40;
const RUNS = 5;
const options = { ...defaultOptions, intraOpNumThreads: 1, interOpNumThreads: 1 };

/** [size, channels] of 3x3 layers with as many filters: from a small network's first to a large one's last. */
const LAYERS: readonly (readonly [number, number])[] = [
  [32, 32],
  [16, 64],
  [14, 128],
  [14, 256],
  [7, 512],
];

const shapeOf = ([size, channels]: readonly [number, number]): BinaryShape => ({
  ...{ height: size, width: size, channels, filters: channels },
  ...{ kernel: [3, 3], stride: [1, 1], pads: [1, 1, 1, 1] },
});

const attributes = { pads: [1, 1, 1, 1], kernel_shape: [3, 3] };

function floatModel({ height, width, channels, filters }: BinaryShape, weights: Float32Array): Uint8Array {
  const tape = new Tape(1);
  const x = tape.declare('x', [1, channels, height, width]);
  const w = tape.constant(floatTensor([filters, channels, 3, 3], weights));
  const y = tape.emit('Conv', [x, w], [1, filters, height, width], attributes);
  return encodeModel(graphOf(tape, [x], { y }));
}

/** As the quantizer builds it: the layer between two others has whole numbers on both sides. */
function int8Model({ height, width, channels, filters }: BinaryShape, weights: Float32Array): Uint8Array {
  const tape = new Tape(1);
  const dims = [1, channels, height, width];
  const x = tape.declare('x', dims);
  const scale = tape.float(0.05);
  const zero = tape.constant(uint8Tensor([], Uint8Array.of(128)));
  const signed = tape.constant(int8Tensor([], Int8Array.of(0)));
  const values = Int8Array.from(weights, (weight) => Math.round(Math.max(-1, Math.min(1, weight)) * 127));
  const w = tape.constant(int8Tensor([filters, channels, 3, 3], values));
  const quantized = tape.emit('QuantizeLinear', [x, scale, zero], dims);
  const outDims = [1, filters, height, width];
  const inputs = [quantized, scale, zero, w, scale, signed, scale, zero];
  const made = tape.emit('QLinearConv', inputs, outDims, attributes);
  return encodeModel(graphOf(tape, [x], { y: tape.emit('DequantizeLinear', [made, scale, zero], outDims) }));
}

async function time(run: () => Promise<unknown> | unknown): Promise<number> {
  const start = performance.now();
  for (let at = 0; at < RUNS; at++) await run();
  return (1000 * (performance.now() - start)) / RUNS;
}

/** Of the rounds' times: what other work on the machine adds stays out. */
const undisturbed = (values: number[]): number =>
  quantile(
    values.sort((a, b) => a - b),
    0.1,
  );

async function measureLayer(shape: BinaryShape): Promise<Row[]> {
  const random = randomFrom(1);
  const { height, width, channels, filters } = shape;
  const draw = (length: number): Float32Array => Float32Array.from({ length }, () => 2 * random() - 1);
  const weights = draw(filters * channels * 9);
  const image = draw(height * width * channels);
  const thresholds = new Float32Array(channels);
  const layer = new PackedConv({ node: 'layer', shape, weights, scales: draw(filters), thresholds });
  layer.input.set(image);
  const float = await Session.open(floatModel(shape, weights), 'float', options);
  const int8 = await Session.open(int8Model(shape, weights), 'int8', options);
  const feeds = { x: new Tensor('float32', image, [1, channels, height, width]) };
  const times: [number[], number[], number[]] = [[], [], []];
  const kinds = [() => layer.run(), () => float.run(feeds), () => int8.run(feeds)];
  for (const kind of kinds) await time(kind);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [at, kind] of kinds.entries()) times[at]!.push(await time(kind));
  }
  await Promise.all([float.dispose(), int8.dispose()]);
  const [binaryUs, floatUs, int8Us] = times.map(undisturbed) as [number, number, number];
  const id = `binary-${channels}x${height}`;
  const note = `${binaryUs.toFixed(0)} us against ${floatUs.toFixed(0)} float and ${int8Us.toFixed(0)} int8`;
  const row = (name: string, value: number, reference: string): Row => ({
    ...{ id: `${id}-${name}`, value: Math.round(100 * value) / 100, unit: 'x', reference, n: ROUNDS, seed: 1, note },
  });
  return [
    row('float', floatUs / binaryUs, 'ONNX Runtime float32, one thread'),
    row('int8', int8Us / binaryUs, 'ONNX Runtime int8, one thread'),
  ];
}

export const binary: Bench = {
  id: 'binary',
  async measure() {
    const rows: Row[] = [];
    for (const layer of LAYERS) rows.push(...(await measureLayer(shapeOf(layer))));
    return rows;
  },
};
