/** Q/DQ where an accelerator's profile wants it: rules over the graph, and the same numbers in the real runtime. */
import { loadProfiles, profileById } from '@espalier/compression/hardware/load';
import { cloneGraph } from '@espalier/compression/onnx/codec';
import { fixBatch } from '@espalier/compression/onnx/fix-batch';
import type { Graph } from '@espalier/compression/onnx/graph';
import { numbersOf, Type } from '@espalier/compression/onnx/tensor';
import { placeQuantizers } from '@espalier/compression/quantize/place';
import { placementViolations } from '@espalier/compression/quantize/placement-rules';
import t from 'tap';
import { decibels, quantizeTiny } from '../support/quantized.ts';
import { distance, floats, ints, noise, operators, run, type TinyModel, tinyGraph } from '../support/tiny.ts';

const profiles = await loadProfiles();
const jetson = profileById('jetson-orin', profiles);

/** Stem, a residual block with a joined Concat behind it, a narrow convolution, and a classifier. */
const net: TinyModel = {
  inputs: { x: ['N', 3, 8, 8] },
  outputs: ['y'],
  constants: {
    w0: noise([16, 3, 3, 3], 1, 0.4),
    b0: noise([16], 2, 0.1),
    w1: noise([16, 16, 3, 3], 3, 0.2),
    b1: noise([16], 4, 0.1),
    w2: noise([16, 16, 3, 3], 5, 0.2),
    w3: noise([32, 32, 1, 1], 6, 0.2),
    w4: noise([4, 32, 1, 1], 7, 0.2),
    fc: noise([4, 10], 8, 0.5),
  },
  nodes: [
    ['Conv', ['x', 'w0', 'b0'], ['c0'], { pads: [1, 1, 1, 1] }],
    ['Relu', ['c0'], ['r0']],
    ['Conv', ['r0', 'w1', 'b1'], ['c1'], { pads: [1, 1, 1, 1] }],
    ['Relu', ['c1'], ['r1']],
    ['Conv', ['r1', 'w2'], ['c2'], { pads: [1, 1, 1, 1] }],
    ['Add', ['c2', 'r0'], ['sum']],
    ['Relu', ['sum'], ['r2']],
    ['Concat', ['r0', 'r2'], ['both'], { axis: 1 }],
    ['Conv', ['both', 'w3'], ['c3']],
    ['Relu', ['c3'], ['r3']],
    ['Conv', ['r3', 'w4'], ['c4'], { strides: [3, 3] }],
    ['GlobalAveragePool', ['c4'], ['pool']],
    ['Flatten', ['pool'], ['flat']],
    ['Gemm', ['flat', 'fc'], ['y']],
  ],
};
/** Weights whose channels, on axis 1, differ a thousand times. */
const spread = ([inputs, outputs, ...kernel]: [number, number, number, number], seed: number) => {
  const inner = kernel[0] * kernel[1];
  const values = new Float32Array(new Uint8Array(noise([inputs, outputs, ...kernel], seed).bytes).buffer);
  return floats(
    [inputs, outputs, ...kernel],
    values.map((value, at) => value * 0.1 ** (Math.floor(at / inner) % outputs)),
  );
};
const samples = Array.from({ length: 12 }, (_, at) => ({ x: noise([1, 3, 8, 8], 100 + at) }));
const built = await quantizeTiny(tinyGraph(net), samples, 'jetson-orin');

t.test('TensorRT: pairs on what convolutions read and on the shortcut, none behind a convolution', async (t) => {
  const { graph, plan, prepared } = built;
  const kind = (output: string) => plan.decisions.get(prepared.producer(output)!.name)!.kind;
  t.strictSame(['c0', 'c1', 'c2', 'sum', 'c3'].map(kind), ['int8', 'int8', 'int8', 'int8', 'int8']);
  t.strictSame(['r0', 'r1', 'r2', 'r3'].map(kind), ['fused', 'fused', 'fused', 'fused']);
  t.match(
    plan.decisions.get(prepared.producer('c4')!.name),
    { kind: 'int8' },
    '32 to 4: one side is wide and a multiple',
  );
  t.match(plan.decisions.get(prepared.producer('y')!.name), { kind: 'float', reason: /side of 4/ });
  t.strictSame(placementViolations(graph, jetson), []);
  t.equal(operators(graph).filter((op) => op === 'Relu').length, 4, 'no activation was absorbed');
});

t.test('TensorRT: the file computes what float does, optimized or not', async (t) => {
  for (const level of ['all', 'disabled'] as const) {
    const { y } = await decibels(built.prepared, built.graph, samples, level);
    t.ok(y! > 25, `${level}: ${y?.toFixed(1)} dB`);
  }
});

/** One fault each, and the rule that must name it. */
const faults: readonly [what: string, rule: RegExp, spoil: (graph: Graph) => void][] = [
  [
    'a zero point that is not 0',
    /zero point 0/,
    (graph) => {
      const pair = graph.nodes.find(({ opType }) => opType === 'QuantizeLinear')!;
      const zero = graph.constantOf(pair, 2)!;
      graph.setInput(pair, 2, graph.addConstant('off', { ...zero, bytes: new Uint8Array(zero.bytes).fill(3) }));
    },
  ],
  [
    'a pair behind a convolution',
    /only weighted operators/,
    (graph) => {
      const relu = graph.nodes.find(({ opType }) => opType === 'Relu')!;
      const [, scale, zero] = graph.nodes.find(({ opType }) => opType === 'QuantizeLinear')!.inputs as string[];
      graph.add({ opType: 'QuantizeLinear', inputs: [relu.inputs[0]!, scale!, zero!], outputs: ['q'] });
      graph.add({ opType: 'DequantizeLinear', inputs: ['q', scale!, zero!], outputs: ['dq'] });
      graph.setInput(relu, 0, 'dq');
      graph.sort();
    },
  ],
  [
    'a shortcut without its pair',
    /residual sum/,
    (graph) => {
      const add = graph.nodes.find(({ opType }) => opType === 'Add')!;
      graph.change(add, { inputs: ['c2', 'r0'] });
    },
  ],
  [
    'weights without a pair',
    /both operands/,
    (graph) => {
      const conv = graph.nodes.find(({ opType }) => opType === 'Conv')!;
      graph.setInput(conv, 1, graph.addConstant('plain', noise([16, 3, 3, 3], 1)));
    },
  ],
  [
    'two scales around a Concat',
    /one scale/,
    (graph) => {
      const concat = graph.nodes.find(({ opType }) => opType === 'Concat')!;
      const quantizer = graph.consumers(concat.outputs[0]!)[0]!;
      graph.setInput(quantizer, 1, graph.addConstant('other', noise([], 9)));
    },
  ],
];
for (const [what, rule, spoil] of faults) {
  t.test(`the rules find ${what}`, async (t) => {
    const graph = cloneGraph(built.graph);
    spoil(graph);
    t.match(placementViolations(graph, jetson), [{ rule }]);
  });
}

t.test('TensorRT leaves narrow convolutions in half precision', async (t) => {
  const narrow = tinyGraph({
    inputs: { x: ['N', 3, 8, 8] },
    outputs: ['y'],
    constants: { w0: noise([16, 3, 3, 3], 1), w1: noise([8, 16, 3, 1], 2), w2: noise([8, 8, 1, 1], 3) },
    nodes: [
      ['Conv', ['x', 'w0'], ['first']],
      ['Conv', ['first', 'w1'], ['oblong']],
      ['Conv', ['oblong', 'w2'], ['y']],
    ],
  });
  const { plan } = await quantizeTiny(narrow, samples, 'jetson-orin');
  t.match(Object.fromEntries(plan.decisions), {
    first: { kind: 'int8' },
    oblong: { kind: 'float', reason: /16 to 8 channels/ },
    y: { kind: 'float', reason: /8 to 8 channels/ },
  });
});

t.test('TensorRT leaves a product of one row in half precision', async (t) => {
  const product = (batch: string | number) =>
    tinyGraph({
      inputs: { x: [batch, 32] },
      outputs: ['y'],
      constants: { w: noise([32, 32], 1) },
      nodes: [['MatMul', ['x', 'w'], ['y']]],
    });
  t.match(placeQuantizers(product('N'), jetson).decisions.get('y'), { kind: 'int8' });
  t.match(placeQuantizers(product(1), jetson).decisions.get('y'), { kind: 'float', reason: /product of 1 row/ });
});

t.test('a transposed convolution has a scale for each output channel, on its own axis', async (t) => {
  const model = tinyGraph({
    inputs: { x: ['N', 16, 8, 8] },
    outputs: ['y'],
    // Channels of very unlike sizes: one scale for all, or scales on the wrong axis, would lose the small ones.
    constants: { w: spread([16, 4, 2, 2], 1), b: noise([4], 2) },
    nodes: [['ConvTranspose', ['x', 'w', 'b'], ['y'], { strides: [2, 2] }]],
  });
  const wide = Array.from({ length: 8 }, (_, at) => ({ x: noise([1, 16, 8, 8], at + 1) }));
  const { graph, plan, prepared } = await quantizeTiny(model, wide, 'jetson-orin');
  t.match(plan.decisions.get('y'), { kind: 'int8' });
  t.strictSame(placementViolations(graph, jetson), []);
  const [float, int8] = [await run(prepared, wide[0]!), await run(graph, wide[0]!)];
  for (let channel = 0; channel < 4; channel++) {
    const part = (values: Float32Array) => values.subarray(channel * 256, (channel + 1) * 256);
    const [expected, found] = [part(float.y!), part(int8.y!)];
    const range = Math.max(...expected) - Math.min(...expected);
    t.ok(distance(expected, found) < 0.02 * range, `channel ${channel}`);
  }
  const dla = profileById('jetson-orin-dla', profiles);
  const padded = tinyGraph({
    inputs: { x: ['N', 16, 8, 8] },
    outputs: ['y'],
    constants: { w: spread([16, 4, 2, 2], 1) },
    nodes: [['ConvTranspose', ['x', 'w'], ['y'], { strides: [2, 2], pads: [1, 1, 1, 1] }]],
  });
  t.match(placeQuantizers(padded, dla).decisions.get('y'), { kind: 'float', reason: /padding of 1 is beyond the 0/ });
});

t.test('NPUs: every edge is int8, from the input to the output, with a zero point', async (t) => {
  const { graph, plan, prepared } = await quantizeTiny(tinyGraph(net), samples, 'rk3588');
  t.strictSame(
    [...plan.decisions.values()].filter(({ kind }) => kind === 'float'),
    [],
  );
  t.equal(operators(graph).includes('Relu'), false, 'activations are absorbed');
  t.equal(graph.producer('y')!.opType, 'DequantizeLinear');
  t.equal(
    graph.consumers('x').every(({ opType }) => opType === 'QuantizeLinear'),
    true,
  );
  const zeros = graph.nodes
    .filter(({ opType }) => opType === 'QuantizeLinear')
    .map((node) => graph.constantOf(node, 2)!);
  t.ok(zeros.every(({ type }) => type === Type.INT8));
  t.ok(
    zeros.some((zero) => numbersOf(zero)[0] === -128),
    'a range from 0 starts at -128',
  );
  const { y } = await decibels(prepared, graph, samples);
  t.ok(y! > 25, `${y?.toFixed(1)} dB`);
});

t.test('NPUs: what is beyond their limits stays float and says so; Softmax has the range of its kernels', async (t) => {
  const model = tinyGraph({
    inputs: { x: ['N', 3, 40, 40] },
    outputs: ['y'],
    constants: { w0: noise([4, 3, 33, 33], 1, 0.05), w1: noise([4, 4, 1, 1], 2) },
    nodes: [
      ['Conv', ['x', 'w0'], ['big']],
      ['Conv', ['big', 'w1'], ['small']],
      ['GlobalAveragePool', ['small'], ['pool']],
      ['Flatten', ['pool'], ['flat']],
      ['Softmax', ['flat'], ['y'], { axis: 1 }],
    ],
  });
  const large = Array.from({ length: 8 }, (_, at) => ({ x: noise([1, 3, 40, 40], at + 1) }));
  const { graph, plan } = await quantizeTiny(model, large, 'rk3588');
  t.match(plan.decisions.get('big'), { kind: 'float', reason: /kernel of 33 is beyond the 31 of rk3588/ });
  const last = graph.producer('y')!;
  t.equal(numbersOf(graph.constantOf(last, 1)!)[0], 1 / 256);
  t.equal(numbersOf(graph.constantOf(last, 2)!)[0], -128);
});

t.test('NPUs: the arithmetic of shapes is no data, and stays in int64', async (t) => {
  const model = tinyGraph({
    inputs: { x: ['N', 4, 8, 8] },
    outputs: ['y'],
    constants: { w: noise([4, 4, 1, 1], 1), first: ints([0]), rest: ints([2, -1]) },
    nodes: [
      ['Shape', ['x'], ['shape']],
      ['Gather', ['shape', 'first'], ['batch']],
      ['Mul', ['batch', 'batch'], ['square']],
      ['Concat', ['square', 'rest'], ['to'], { axis: 0 }],
      ['Conv', ['x', 'w'], ['c']],
      ['Reshape', ['c', 'to'], ['r']],
      ['Sigmoid', ['r'], ['y']],
    ],
  });
  const square = Array.from({ length: 8 }, (_, at) => ({ x: noise([1, 4, 8, 8], at + 1) }));
  const { graph, plan, prepared } = await quantizeTiny(model, square, 'rk3588');
  t.match(plan.decisions.get('square'), { kind: 'float', reason: /it computes with integers/ });
  t.match(plan.decisions.get('to'), { kind: 'float', reason: /rest is not a float constant/ });
  t.match(plan.decisions.get('y'), { kind: 'int8' });
  const { y } = await decibels(prepared, graph, square);
  t.ok(y! > 25, `${y?.toFixed(1)} dB`);
});

t.test('a free batch is fixed in a copy, and the original keeps its own', async (t) => {
  const graph = tinyGraph(net);
  const fixed = fixBatch(graph, 1);
  const dim = ({ inputs }: Graph) => inputs[0]!.type!.value.value as { shape: { dim: { value: { case: string } }[] } };
  t.equal(dim(fixed).shape.dim[0]!.value.case, 'dimValue');
  t.equal(dim(graph).shape.dim[0]!.value.case, 'dimParam');
});
