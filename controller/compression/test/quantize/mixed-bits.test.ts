/** Nodes with 16-bit activations among those with 8: each reads and makes values in its own bits. */
import { loadProfiles, profileById } from '@espalier/compression/hardware/load';
import { Type } from '@espalier/compression/onnx/tensor';
import { raised } from '@espalier/compression/quantize/plan';
import { reliefOf } from '@espalier/compression/quantize/relief';
import t from 'tap';
import { decibels, quantizeTiny } from '../support/quantized.ts';
import { noise, type TinyModel, tinyGraph } from '../support/tiny.ts';

const profiles = await loadProfiles();
const net: TinyModel = {
  inputs: { x: ['N', 3, 8, 8] },
  outputs: ['y'],
  constants: { w0: noise([8, 3, 3, 3], 1), w1: noise([4, 8, 3, 3], 2), w2: noise([4, 8, 1, 1], 3) },
  nodes: [
    ['Conv', ['x', 'w0'], ['a'], { pads: [1, 1, 1, 1] }],
    ['Relu', ['a'], ['r']],
    ['MaxPool', ['r'], ['m'], { kernel_shape: [2, 2], strides: [2, 2] }],
    ['Conv', ['m', 'w1'], ['b'], { pads: [1, 1, 1, 1] }],
    ['Sigmoid', ['b'], ['s']],
    ['Conv', ['m', 'w2'], ['c']],
    ['Mul', ['s', 'c'], ['p']],
    ['GlobalAveragePool', ['p'], ['y']],
  ],
  names: ['first', 'relu', 'pool', 'gate', 'sigmoid', 'other', 'product', 'mean'],
};
const samples = Array.from({ length: 16 }, (_, at) => ({ x: noise([1, 3, 8, 8], 100 + at) }));
const built = (wide: readonly string[]) =>
  quantizeTiny(tinyGraph(net), samples, 'qualcomm-htp', {}, async () => new Map(wide.map((name) => [name, 'a test'])));

t.test(
  'a value that is carried keeps its maker’s bits, and who has others reads it through a pair of its own',
  async (t) => {
    const { graph } = await built(['first', 'gate', 'sigmoid']);
    const typeBefore = (name: string, input: number) => {
      const node = graph.nodes.find((one) => one.name === name)!;
      return graph.constantOf(graph.producer(node.inputs[input]!)!, 2)!.type;
    };
    t.equal(typeBefore('pool', 0), Type.UINT16, 'made in 16 bits');
    t.equal(typeBefore('gate', 0), Type.UINT16, 'carried in 16 bits');
    t.equal(typeBefore('other', 0), Type.INT8, 'read in 8');
    t.equal(typeBefore('product', 0), Type.INT8);
  },
);

t.test('more bits are never farther from float, and all of them are nearly float', async (t) => {
  const all = ['first', 'gate', 'sigmoid', 'other', 'product', 'mean'];
  const found: number[] = [];
  for (const wide of [[], ['gate', 'sigmoid', 'product'], all]) {
    const { graph, prepared } = await built(wide);
    found.push((await decibels(prepared, graph, samples)).y!);
  }
  const [none, some, every] = found;
  t.ok(some! > none! && every! > some!, `${found}`);
});

t.test('a plan that is raised differs in nothing else, and knows only nodes that are int8', (t) => {
  const plan = {
    decisions: new Map([
      ['a', { kind: 'int8' as const }],
      ['b', { kind: 'float' as const, reason: 'no kernel' }],
    ]),
    ...{ values: new Set<string>(), ties: [], fixed: new Map() },
  };
  const more = raised(
    plan,
    new Map([
      ['a', 'noisy'],
      ['b', 'noisy'],
    ]),
  );
  t.strictSame(
    [...more.decisions],
    [
      ['a', { kind: 'int8', wide: 'noisy' }],
      ['b', plan.decisions.get('b')],
    ],
  );
  t.strictSame(
    ['qualcomm-htp', 'x64-avx512-vnni', 'npu'].map((id) => reliefOf(profileById(id, profiles))),
    ['int16', 'float', null],
  );
  t.end();
});
