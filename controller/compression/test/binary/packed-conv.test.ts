/** The bit-packed convolution against the same signs as floats in ONNX Runtime: whole numbers, so they must be equal. */

import type { BinaryShape } from '@espalier/compression/binary/layout';
import { PackedConv } from '@espalier/compression/binary/packed-conv';
import { signed, unsigned } from '@espalier/compression/binary/wasm';
import { floatsOf } from '@espalier/compression/onnx/tensor';
import t from 'tap';
import { floats, noise, run, tinyGraph } from '../support/tiny.ts';

const sign = (value: number, threshold = 0): number => (value > threshold ? 1 : -1);

/** [C, H, W] from [H, W, C], or the other way round with the sizes changed. */
function turned(values: ArrayLike<number>, [h, w, c]: [number, number, number]): Float32Array {
  return Float32Array.from({ length: h * w * c }, (_, at) => {
    const [channel, place] = [Math.floor(at / (h * w)), at % (h * w)];
    return values[place * c + channel]!;
  });
}

const shapes: Record<string, BinaryShape> = {
  'a 3x3 window with a border': {
    ...{ height: 7, width: 5, channels: 32, filters: 16, kernel: [3, 3], stride: [1, 1], pads: [1, 1, 1, 1] },
  },
  'stride 2, uneven pads, more channels than one count holds': {
    ...{ height: 8, width: 9, channels: 160, filters: 32, kernel: [3, 3], stride: [2, 2], pads: [0, 1, 1, 0] },
  },
  'a pointwise window': {
    ...{ height: 4, width: 6, channels: 64, filters: 48, kernel: [1, 1], stride: [1, 1], pads: [0, 0, 0, 0] },
  },
  'a 5x3 window': {
    ...{ height: 9, width: 6, channels: 96, filters: 16, kernel: [5, 3], stride: [1, 2], pads: [2, 1, 2, 1] },
  },
};

for (const [name, shape] of Object.entries(shapes)) {
  t.test(`${name}: the same whole numbers as a float convolution of the signs`, async (t) => {
    const { height, width, channels, filters, kernel, stride, pads } = shape;
    const weights = floatsOf(noise([filters, channels, ...kernel], 1))!;
    const thresholds = floatsOf(noise([channels], 2, 0.3))!;
    // Powers of two keep the products whole.
    const scales = Float32Array.from({ length: filters }, (_, at) => 2 ** ((at % 5) - 2));
    const image = floatsOf(noise([height, width, channels], 3))!;
    image[0] = thresholds[0]!;
    const layer = new PackedConv({ node: name, shape, weights, scales, thresholds });
    layer.input.set(image);
    layer.run();
    layer.run();
    const size = channels * kernel[0] * kernel[1];
    const graph = tinyGraph({
      inputs: { x: [1, channels, height, width] },
      outputs: ['y'],
      constants: {
        w: floats(
          [filters, channels, ...kernel],
          weights.map((value, at) => sign(value) * scales[Math.floor(at / size)]!),
        ),
      },
      nodes: [['Conv', ['x', 'w'], ['y'], { pads: [...pads], strides: [...stride] }]],
    });
    const signs = image.map((value, at) => sign(value, thresholds[at % channels]));
    const x = floats([1, channels, height, width], turned(signs, [height, width, channels]));
    const { y } = await run(graph, { x });
    const found = turned(layer.output, [y!.length / filters, 1, filters]);
    t.strictSame([...found], [...y!]);
    t.equal(layer.weightBytes, (filters * size) / 8, 'a bit for each weight');
  });
}

t.test('channels that fill no word are refused by name', async (t) => {
  const shape: BinaryShape = { ...shapes['a pointwise window']!, channels: 40 };
  const none = new Float32Array();
  const layer = { node: 'narrow', shape, weights: none, scales: none, thresholds: none };
  t.throws(() => new PackedConv(layer), { code: 'ESP_BINARY_UNFIT', message: /narrow/ });
});

t.test('LEB128: the examples of the DWARF standard', async (t) => {
  t.strictSame([2, 127, 128, 12857].map(unsigned), [[2], [127], [0x80, 1], [0xb9, 0x64]]);
  t.strictSame([2, -2, 127, -127, -129].map(signed), [[2], [0x7e], [0xff, 0], [0x81, 0x7f], [0xff, 0x7e]]);
});
