/** Each precision on a tiny network: runs in ONNX Runtime, near float, smaller, and with a reason where it does nothing. */
import { loadProfiles, profileById } from '@espalier/compression/hardware/load';
import { cloneGraph, encodeModel } from '@espalier/compression/onnx/codec';
import type { Graph } from '@espalier/compression/onnx/graph';
import { preparation, runPasses } from '@espalier/compression/passes/index';
import { halfBits } from '@espalier/compression/precision/half';
import { isOffered, TRANSFORMATIONS } from '@espalier/compression/precision/index';
import type { Transformed } from '@espalier/compression/precision/transform';
import type { Precision } from '@espalier/compression/search/points';
import t from 'tap';
import { decibels } from '../support/quantized.ts';
import { noise, operators, tinyGraph } from '../support/tiny.ts';
import { attention, embedding, mlp, recurrent } from './nets.ts';

const profiles = await loadProfiles();
const vnni = profileById('x64-avx512-vnni', profiles);

function transform(graph: Graph, precision: Precision, profile = vnni) {
  const prepared = cloneGraph(graph);
  runPasses(prepared, preparation);
  const before = encodeModel(prepared);
  const result = TRANSFORMATIONS[precision]!(prepared, profile);
  t.strictSame(encodeModel(prepared), before, `${precision} leaves its input as it is`);
  return { prepared, result };
}

const shapes = { mlp: [2, 64], attention: [2, 8, 64], recurrent: [6, 2, 32], embedding: [2, 32] };
const samples = (dims: number[]) => Array.from({ length: 8 }, (_, at) => ({ x: noise(dims, 50 + at) }));

/** SQNR of y, at all optimizations and at none, and the nodes as they were said to be. */
async function proof(graph: Graph, dims: number[], precision: Precision) {
  const { prepared, result } = transform(graph, precision);
  if ('why' in result) throw new Error(result.why);
  const [all, none] = [
    await decibels(prepared, result.graph, samples(dims), 'all'),
    await decibels(prepared, result.graph, samples(dims), 'disabled'),
  ];
  const smaller = encodeModel(prepared).length / encodeModel(result.graph).length;
  return { ...(result as Transformed), all: all.y!, none: none.y!, smaller };
}

const cases = [
  { name: 'MLP', net: mlp, dims: shapes.mlp, least: { w8: 38, w4: 17, fp16: 55, dynamic: 38 } },
  { name: 'attention', net: attention, dims: shapes.attention, least: { w8: 35, w4: 14, fp16: 50, dynamic: 35 } },
] as const;

for (const { name, net, dims, least } of cases) {
  for (const [precision, decibel] of Object.entries(least)) {
    t.test(`${name} in ${precision}: at least ${decibel} dB, optimized or not`, async (t) => {
      const { all, none, smaller, nodes } = await proof(net(), [...dims], precision as Precision);
      t.ok(all >= decibel && none >= decibel, `${all.toFixed(1)} and ${none.toFixed(1)} dB`);
      t.ok(smaller > { w8: 2.2, w4: 3, fp16: 1.7, dynamic: 2.2 }[precision]!, `${smaller.toFixed(2)} times smaller`);
      t.ok(nodes.every((node) => (node.precision === 'float32') === (node.reason !== null)));
    });
  }
}

t.test('products of two computed values stay float, with the reason', async (t) => {
  const { result } = transform(attention(), 'dynamic');
  const { nodes } = result as Transformed;
  const floats = nodes.filter(({ precision }) => precision === 'float32');
  t.strictSame(
    floats.map(({ name }) => name),
    ['s', 'o'],
  );
  t.match(floats[0]!.reason, /both of its operands are computed/);
});

t.test('an LSTM is dynamic int8 in both directions; a GRU stays float, with the reason', async (t) => {
  const { all, graph, smaller } = await proof(recurrent('LSTM'), shapes.recurrent, 'dynamic');
  t.ok(all > 28, `${all.toFixed(1)} dB`);
  t.ok(smaller > 2.5);
  t.strictSame(operators(graph), ['DynamicQuantizeLSTM']);
  const { result } = transform(recurrent('GRU'), 'dynamic');
  t.match(result, { why: /no dynamic GRU/ });
  t.match(transform(recurrent('LSTM'), 'w8').result, { why: /no LSTM that reads packed weights/ });
});

t.test('a table is kept in 8 bits, and only rows that are read become float', async (t) => {
  const net = tinyGraph({
    inputs: { x: ['N', 32] },
    outputs: ['y'],
    constants: { table: noise([200, 32], 1) },
    nodes: [
      ['ArgMax', ['x'], ['row'], { axis: 1, keepdims: 0 }],
      ['Gather', ['table', 'row'], ['e'], { axis: 0 }],
      ['Add', ['x', 'e'], ['y']],
    ],
  });
  const { all, graph, nodes } = await proof(net, shapes.embedding, 'w4');
  t.ok(all > 40, `${all.toFixed(1)} dB`);
  t.match(nodes, [{ op: 'Gather', precision: 'w8' }]);
  t.equal(operators(graph).filter((op) => op === 'Gather').length, 2);
});

t.test('a matrix with rows that do not fill their last block', async (t) => {
  const net = tinyGraph({
    inputs: { x: ['N', 45] },
    outputs: ['y'],
    constants: { w: noise([45, 40], 1, 0.2) },
    nodes: [['MatMul', ['x', 'w'], ['y']]],
  });
  for (const [precision, decibel] of [
    ['w8', 40],
    ['w4', 18],
  ] as const) {
    const { all } = await proof(net, [3, 45], precision);
    t.ok(all > decibel, `${precision}: ${all.toFixed(1)} dB`);
  }
});

t.test('half precision: types at the edges stay, what cannot be a half is refused by name', async (t) => {
  const { graph } = await proof(embedding(), shapes.embedding, 'fp16');
  t.ok(operators(graph).filter((op) => op === 'Cast').length === 2, 'one Cast in, one out');
  const huge = mlp();
  huge.constants.set('b1', {
    ...huge.constants.get('b1')!,
    bytes: new Uint8Array(new Float32Array(96).fill(7e4).buffer),
  });
  t.match(TRANSFORMATIONS.fp16!(huge, vnni), { why: /b1 holds values beyond 65504/ });
  const values = [
    0,
    -0,
    1,
    -2.5,
    65504,
    65519,
    65520,
    1e-7,
    2 ** -24,
    2 ** -25,
    3 * 2 ** -25,
    0.1,
    1 / 3,
    Number.NaN,
    -Infinity,
  ];
  const half = new Float16Array(values);
  t.strictSame(values.map(halfBits), [...new Uint16Array(half.buffer)], 'as the language itself rounds');
});

t.test('a small network is left alone, and a convolutional one is told why', async (t) => {
  const net = tinyGraph({
    inputs: { x: ['N', 3, 8, 8] },
    outputs: ['y'],
    constants: { w: noise([4, 3, 3, 3], 1) },
    nodes: [['Conv', ['x', 'w'], ['y']]],
  });
  t.match(transform(net, 'w4').result, { why: /No MatMul, Gemm or Gather.*no Conv that reads packed weights/ });
  t.match(transform(net, 'dynamic').result, { why: /ConvInteger is slower/ });
});

t.test('a profile offers only what its hardware has', async (t) => {
  const htp = profileById('qualcomm-htp', profiles);
  t.strictSame([isOffered(htp, 'int8-16'), isOffered(htp, 'fp16'), isOffered(htp, 'w4')], [true, true, false]);
  t.strictSame([isOffered(vnni, 'w4'), isOffered(vnni, 'dynamic'), isOffered(vnni, 'int8-16')], [true, true, false]);
});
