import { cloneGraph } from '@espalier/compression/onnx/codec';
import type { Tensor } from '@espalier/compression/onnx/tensor';
import { int8Tensor, uint8Tensor } from '@espalier/compression/onnx/tensor';
import { padInputChannels } from '@espalier/compression/passes/pad-input-channels';
import { runPasses } from '@espalier/compression/passes/pass';
import t from 'tap';
import { floats, noise, operators, run, type TinyModel, tinyGraph } from '../support/tiny.ts';

const weights = (channels: number): Tensor =>
  int8Tensor(
    [16, channels, 3, 3],
    Int8Array.from({ length: 144 * channels }, (_, at) => ((at * 37) % 255) - 127),
  );

/** x -> Q -> DQ -> Conv -> y with a zero point other than 0, as insertion writes it. */
const quantizedConv = (channels: number, extra: TinyModel['nodes'] = []): TinyModel => ({
  inputs: { x: ['N', channels, 8, 8] },
  outputs: ['y', ...extra.flatMap(([, , outputs]) => outputs)],
  constants: {
    s: floats([], [0.02]),
    z: uint8Tensor([], Uint8Array.of(117)),
    w8: weights(channels),
    ws: floats([], [0.01]),
    wz: int8Tensor([], Int8Array.of(0)),
  },
  nodes: [
    ['QuantizeLinear', ['x', 's', 'z'], ['q']],
    ['DequantizeLinear', ['q', 's', 'z'], ['d']],
    ['DequantizeLinear', ['w8', 'ws', 'wz'], ['w']],
    ['Conv', ['d', 'w'], ['c'], { pads: [1, 1, 1, 1], strides: [2, 2] }],
    ['QuantizeLinear', ['c', 's', 'z'], ['cq']],
    ['DequantizeLinear', ['cq', 's', 'z'], ['y']],
    ...extra,
  ],
});
const pass = padInputChannels({ from: 3, to: 4 });

for (const level of ['all', 'disabled'] as const) {
  t.test(
    `three input channels become four, and the outputs are equal bit by bit (optimization ${level})`,
    async (t) => {
      const before = tinyGraph(quantizedConv(3));
      const after = cloneGraph(before);
      t.equal(runPasses(after, [pass])[0]!.applied, 1);
      t.ok(operators(after).includes('Pad'));
      const conv = after.nodes.find(({ opType }) => opType === 'Conv')!;
      t.strictSame(after.constantOf(after.producer(conv.inputs[1]!)!, 0)!.dims, [16, 4, 3, 3]);
      for (const seed of [1, 2, 3]) {
        const x = noise([2, 3, 8, 8], seed, 3);
        t.strictSame((await run(after, { x }, level)).y, (await run(before, { x }, level)).y);
      }
    },
  );
}

for (const [name, model, reason] of [
  ['one input channel', quantizedConv(1), /1 input channels, not 3/],
  ['an input that others read', quantizedConv(3, [['Neg', ['d'], ['n']]]), /others read/],
  ['an opset without a Pad for uint8', { ...quantizedConv(3), opset: 12 }, /opset 12/],
] as const) {
  t.test(`${name} is left alone, with the reason`, async (t) => {
    const [record] = runPasses(tinyGraph(model), [pass]);
    t.equal(record!.applied, 0);
    t.match(record!.reasons[0], reason);
  });
}
