import { cloneGraph } from '@espalier/compression/onnx/codec';
import { runPasses } from '@espalier/compression/passes/pass';
import { shortcutToConv } from '@espalier/compression/passes/shortcut-to-conv';
import t from 'tap';
import { ints, noise, operators, run, type TinyModel, tinyGraph } from '../support/tiny.ts';

const LAST = 2 ** 31 - 1;

/** Conv -> Slice every second row and column -> Pad one channel before and two after. */
const shortcut = (parts: Partial<Record<'starts' | 'ends' | 'axes' | 'steps' | 'pads', number[]>> = {}): TinyModel => ({
  inputs: { x: ['N', 3, 7, 6] },
  outputs: ['y'],
  constants: {
    w: noise([4, 3, 1, 1], 1),
    starts: ints(parts.starts ?? [0, 0]),
    ends: ints(parts.ends ?? [LAST, LAST]),
    axes: ints(parts.axes ?? [2, 3]),
    steps: ints(parts.steps ?? [2, 2]),
    pads: ints(parts.pads ?? [0, 1, 0, 0, 0, 2, 0, 0]),
  },
  nodes: [
    ['Conv', ['x', 'w'], ['c']],
    ['Relu', ['c'], ['r']],
    ['Slice', ['r', 'starts', 'ends', 'axes', 'steps'], ['s']],
    ['Pad', ['s', 'pads'], ['y']],
  ],
});

for (const level of ['all', 'disabled'] as const) {
  t.test(
    `a strided Slice and a Pad of channels become one Conv, equal bit by bit (optimization ${level})`,
    async (t) => {
      const before = tinyGraph(shortcut());
      const after = cloneGraph(before);
      t.equal(runPasses(after, [shortcutToConv])[0]!.applied, 1);
      t.strictSame(operators(after), ['Conv', 'Relu', 'Conv']);
      for (const seed of [1, 2]) {
        const x = noise([2, 3, 7, 6], seed);
        const [expected, found] = [(await run(before, { x }, level)).y!, (await run(after, { x }, level)).y!];
        t.strictSame(found, expected);
        t.equal(found.length, 2 * 7 * 4 * 3);
      }
    },
  );
}

for (const [name, parts, reason] of [
  ['a Slice that starts inside', { starts: [1, 0] }, /every k-th row/],
  ['a Slice that ends early', { ends: [4, LAST] }, /every k-th row/],
  ['a Slice of channels', { axes: [1, 3] }, /every k-th row/],
  ['a Pad of rows', { pads: [0, 1, 1, 0, 0, 2, 0, 0] }, /more than the channels/],
  ['a Pad that cuts channels off', { pads: [0, -1, 0, 0, 0, 2, 0, 0] }, /more than the channels/],
] as const) {
  t.test(`${name} stays, with the reason`, async (t) => {
    const mutable = Object.fromEntries(Object.entries(parts).map(([key, value]) => [key, [...value]]));
    const [record] = runPasses(tinyGraph(shortcut(mutable)), [shortcutToConv]);
    t.equal(record!.applied, 0);
    t.match(record!.reasons[0], reason);
  });
}
