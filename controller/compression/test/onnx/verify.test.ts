/** Every rule of a valid graph has a graph here that breaks it and no other. */

import { create } from '@bufbuild/protobuf';
import { parseModel } from '@espalier/compression/onnx/codec';
import { TensorProtoSchema } from '@espalier/compression/onnx/gen/onnx_pb';
import type { Graph } from '@espalier/compression/onnx/graph';
import { findCycle } from '@espalier/compression/onnx/order';
import { floatTensor, int8Tensor, type Tensor, Type, uint8Tensor } from '@espalier/compression/onnx/tensor';
import { READING, RULES, verify } from '@espalier/compression/onnx/verify';
import { preparation, runPasses } from '@espalier/compression/passes/index';
import t from 'tap';
import { graphAttribute, modelFile, node, tensorAttribute, value, weights } from '../support/message.ts';
import { floats, ints, noise, type TinyModel, tinyGraph } from '../support/tiny.ts';

const base = { inputs: { x: [1, 2] }, outputs: ['y'] } satisfies Partial<TinyModel>;
const image = { inputs: { x: [1, 4, 8, 8] }, outputs: ['y'] } satisfies Partial<TinyModel>;
const tiny = (model: Partial<TinyModel> & Pick<TinyModel, 'nodes'>): Graph => tinyGraph({ ...base, ...model });
const whole = (graph: object): Graph =>
  parseModel(modelFile({ input: [value('x', [1, 2])], output: [value('y')], ...graph }));
const conv = (w: Tensor, attributes = {}, b?: Tensor): Graph =>
  tinyGraph({
    ...image,
    constants: { w, ...(b ? { b } : {}) },
    nodes: [['Conv', b ? ['x', 'w', 'b'] : ['x', 'w'], ['y'], attributes]],
  });
const half = (...bits: number[]): Tensor => ({
  type: Type.FLOAT16,
  dims: [bits.length],
  bytes: new Uint8Array(Uint16Array.from(bits).buffer),
});

/** A loop of 2^40 trips, or none given, whose body returns this condition. */
const looping = (trips: string, inner: object[], condition: string): Graph =>
  whole({
    initializer: weights({ trips: ints([2 ** 40]) }),
    node: [
      node('Loop', [trips, '', 'x'], ['y'], {
        attribute: [
          graphAttribute('body', {
            name: 'body',
            input: [value('i'), value('c'), value('v')],
            output: [value(condition), value('v')],
            node: inner,
          }),
        ],
      }),
    ],
  });

const broken: [rule: string, at: string, graph: () => Graph][] = [
  [
    'an input has elements, and no more than memory holds',
    'x',
    () => tiny({ inputs: { x: [0, 2] }, nodes: [['Relu', ['x'], ['y']]] }),
  ],
  [
    'weights are finite numbers',
    'w',
    () => tiny({ constants: { w: floats([2, 2], [1, 2, 3, -1e30]) }, nodes: [['Gemm', ['x', 'w'], ['y']]] }),
  ],
  [
    'something is fed and something is returned',
    'the graph',
    () => tiny({ inputs: {}, constants: { c: noise([2], 1) }, nodes: [['Relu', ['c'], ['y']]] }),
  ],
  [
    'something is fed and something is returned',
    'the graph',
    () => tiny({ outputs: [], nodes: [['Relu', ['x'], ['y']]] }),
  ],
  [
    'inputs and outputs have names',
    'the graph',
    () => whole({ output: [value('y'), value('')], node: [node('Relu', ['x'], ['y'])] }),
  ],
  [
    'an input has elements, and no more than memory holds',
    'x',
    () => tiny({ inputs: { x: [65536, 65536] }, nodes: [['Relu', ['x'], ['y']]] }),
  ],
  [
    'every value has one definition',
    'y_1',
    () => whole({ node: [node('Relu', ['x'], ['y']), node('Neg', ['x'], ['y'])] }),
  ],
  ['every value has one definition', 'x', () => whole({ node: [node('Relu', ['x'], ['x'])] })],
  [
    'every value has one definition',
    'x',
    () => whole({ input: [value('x'), value('x')], node: [node('Relu', ['x'], ['y'])] }),
  ],
  [
    'the graph has no cycle',
    'b',
    () =>
      tiny({
        nodes: [
          ['Add', ['x', 'b'], ['a']],
          ['Relu', ['a'], ['b']],
          ['Neg', ['b'], ['y']],
        ],
      }),
  ],
  ['the graph has no cycle', 'y', () => tiny({ nodes: [['Add', ['x', 'y'], ['y']]] })],
  ['a value is defined before it is read', 'y', () => tiny({ nodes: [['Add', ['x', 'nowhere'], ['y']]] })],
  ['a value is defined before it is read', 'y', () => tiny({ nodes: [['Relu', ['x'], ['z']]] })],
  [
    'a value is defined before it is read',
    'y',
    () =>
      tiny({
        nodes: [
          ['Relu', ['h'], ['y']],
          ['Neg', ['x'], ['h']],
        ],
      }),
  ],
  [
    'a value is defined before it is read',
    'y',
    () =>
      whole({
        node: [
          node('If', ['x'], ['y'], {
            attribute: [graphAttribute('then_branch', { name: 't', output: [value('nowhere')] })],
          }),
        ],
      }),
  ],
  [
    'node names are unique',
    'same',
    () =>
      tiny({
        names: ['same', 'same'],
        nodes: [
          ['Relu', ['x'], ['z']],
          ['Relu', ['z'], ['y']],
        ],
      }),
  ],
  [
    'a constant is as long as its shape',
    'c',
    () => tiny({ constants: { c: floats([3], [1, 2]) }, nodes: [['Add', ['x', 'c'], ['y']]] }),
  ],
  [
    'a constant is as long as its shape',
    'c',
    () => tiny({ constants: { c: floats([-1, -2], [1, 2]) }, nodes: [['Add', ['x', 'c'], ['y']]] }),
  ],
  [
    'a tensor attribute holds a tensor as long as its shape',
    'k',
    () =>
      whole({
        node: [
          node('Constant', [], ['k'], { attribute: [tensorAttribute('value', floats([3], [1]))] }),
          node('Add', ['x', 'k'], ['y']),
        ],
      }),
  ],
  [
    'a tensor attribute holds a tensor as long as its shape',
    'k',
    () =>
      whole({
        node: [
          node('Constant', [], ['k'], { attribute: [{ name: 'value', type: 2 }] }),
          node('Add', ['x', 'k'], ['y']),
        ],
      }),
  ],
  [
    'weights are finite numbers',
    'w',
    () => tiny({ constants: { w: floats([2, 2], [1, Number.NaN, 2, 3]) }, nodes: [['MatMul', ['x', 'w'], ['y']]] }),
  ],
  [
    'weights are finite numbers',
    'w',
    () => tiny({ constants: { w: floats([2, 2], [1, 2, 3, -Infinity]) }, nodes: [['Gemm', ['x', 'w'], ['y']]] }),
  ],
  [
    'weights are finite numbers',
    'c',
    () => tiny({ constants: { c: floats([2], [1, Number.NaN]) }, nodes: [['Add', ['x', 'c'], ['y']]] }),
  ],
  [
    'weights are finite numbers',
    'c',
    () => tiny({ constants: { c: half(0x3c00, 0x7e00) }, nodes: [['Add', ['x', 'c'], ['y']]] }),
  ],
  [
    'weights are finite numbers',
    'k',
    () =>
      whole({
        node: [
          node('Constant', [], ['k'], { attribute: [tensorAttribute('value', floats([2, 2], [1, 2, Infinity, 0]))] }),
          node('MatMul', ['x', 'k'], ['y']),
        ],
      }),
  ],
  [
    'a constant has the shape that is declared for it',
    'c',
    () =>
      whole({
        input: [value('x', [1, 2]), value('c', [3])],
        initializer: weights({ c: noise([2], 1) }),
        node: [node('Add', ['x', 'c'], ['y'])],
      }),
  ],
  [
    'every operator set is imported',
    'y',
    () => whole({ node: [node('Gelu', ['x'], ['y'], { domain: 'com.example' })] }),
  ],
  ['a node has the inputs and outputs its operator needs', 'y', () => tiny({ nodes: [['Add', ['x', ''], ['y']]] })],
  [
    'a node has the inputs and outputs its operator needs',
    'r',
    () => whole({ node: [node('Relu', ['x'], [], { name: 'r' }), node('Neg', ['x'], ['y'])] }),
  ],
  ['operands have shapes that their operator takes', 'y', () => conv(noise([2, 3, 3, 3], 1))],
  ['operands have shapes that their operator takes', 'y', () => conv(noise([2, 4], 1))],
  ['operands have shapes that their operator takes', 'y', () => conv(noise([2, 4, 3, 3], 1), {}, noise([3], 2))],
  ['operands have shapes that their operator takes', 'y', () => conv(noise([3, 2, 3, 3], 1), { group: 2 })],
  ['operands have shapes that their operator takes', 'y', () => conv(noise([2, 4, 3, 3], 1), { group: 0 })],
  ['operands have shapes that their operator takes', 'y', () => conv(noise([2, 4, 3, 3], 1), { kernel_shape: [3, 5] })],
  ['operands have shapes that their operator takes', 'y', () => conv(noise([2, 4, 3, 3], 1), { strides: [0, 1] })],
  [
    'operands have shapes that their operator takes',
    'y',
    () => tiny({ constants: { w: noise([3, 2], 1) }, nodes: [['MatMul', ['x', 'w'], ['y']]] }),
  ],
  [
    'operands have shapes that their operator takes',
    'y',
    () => tiny({ constants: { w: noise([2, 3], 1), c: noise([2], 1) }, nodes: [['Gemm', ['x', 'w', 'c'], ['y']]] }),
  ],
  [
    'operands have shapes that their operator takes',
    'y',
    () => tiny({ constants: { c: noise([3], 1) }, nodes: [['Mul', ['x', 'c'], ['y']]] }),
  ],
  [
    'operands have shapes that their operator takes',
    'y',
    () =>
      tinyGraph({
        ...image,
        constants: { c: noise([4], 1), v: noise([3], 1) },
        nodes: [['BatchNormalization', ['x', 'c', 'c', 'c', 'v'], ['y']]],
      }),
  ],
  [
    'an output has the shape that is declared for it',
    'y',
    () => whole({ output: [value('y', [1, 3])], node: [node('Relu', ['x'], ['y'])] }),
  ],
  ['a loop comes to its end', 'y', () => looping('', [node('Identity', ['c'], ['c2'])], 'c2')],
  ['a loop comes to its end', 'y', () => looping('trips', [], 'c')],
  [
    'a quantization scale is finite and positive',
    'y',
    () =>
      tiny({
        constants: { s: floats([], [0]), z: uint8Tensor([], Uint8Array.of(0)) },
        nodes: [['QuantizeLinear', ['x', 's', 'z'], ['y']]],
      }),
  ],
  [
    'zero point and data have one type',
    'd',
    () =>
      tiny({
        constants: {
          w: int8Tensor([2], Int8Array.of(1, 2)),
          s: floatTensor([], Float32Array.of(1)),
          z: uint8Tensor([], Uint8Array.of(0)),
        },
        nodes: [
          ['DequantizeLinear', ['w', 's', 'z'], ['d']],
          ['Add', ['x', 'd'], ['y']],
        ],
      }),
  ],
];

for (const [rule, at, graph] of broken) {
  t.test(`a graph that breaks "${rule}" at ${at} is caught, with the pass and the place`, async (t) => {
    t.throws(() => verify(graph(), READING), { code: 'ESP_GRAPH_BROKEN', details: { pass: READING, rule, at } });
    if (RULES.find(({ name }) => name === rule)!.isOfFile) t.doesNotThrow(() => verify(graph(), 'some-pass'));
    else t.throws(() => verify(graph(), 'some-pass'), { code: 'ESP_GRAPH_BROKEN', details: { pass: 'some-pass' } });
  });
}

t.test('every rule has such a graph, and says whom it obeys', async (t) => {
  t.strictSame(new Set(broken.map(([rule]) => rule)), new Set(RULES.map(({ name }) => name)));
  for (const { clause } of RULES) t.match(clause, /\S/);
});

for (const [what, graph] of [
  ['a loop that decides itself', () => looping('', [node('Less', ['v', 'x'], ['again'])], 'again')],
  ['one node', () => tiny({ nodes: [['Relu', ['x'], ['y']]] })],
  [
    'an infinite bound',
    () => tiny({ constants: { low: floats([], [-Infinity]) }, nodes: [['Clip', ['x', 'low'], ['y']]] }),
  ],
  [
    'an infinite mask',
    () => tiny({ constants: { m: floats([2], [0, -Infinity]) }, nodes: [['Add', ['x', 'm'], ['y']]] }),
  ],
  [
    'a NaN to compare with',
    () => tiny({ constants: { n: floats([], [Number.NaN]) }, nodes: [['Add', ['x', 'n'], ['y']]] }),
  ],
  ['the largest half', () => tiny({ constants: { c: half(0x7bff, 0x0001) }, nodes: [['Mul', ['x', 'c'], ['y']]] })],
  [
    'a batch that may vary',
    () =>
      tinyGraph({
        inputs: { x: ['N', 2] },
        outputs: ['y'],
        constants: { c: noise([5, 2], 1) },
        nodes: [['Add', ['x', 'c'], ['y']]],
      }),
  ],
  [
    'a shape nobody knows',
    () => whole({ input: [value('x')], output: [value('y', [7])], node: [node('Reshape', ['x', 'x'], ['y'])] }),
  ],
  [
    'an unused string constant',
    () =>
      whole({
        initializer: [
          create(TensorProtoSchema, { name: 's', dataType: Type.STRING, dims: [1n], stringData: [Buffer.from('a')] }),
        ],
        node: [node('Relu', ['x'], ['y'])],
      }),
  ],
] as [string, () => Graph][]) {
  t.test(`${what} is valid`, async (t) => {
    t.doesNotThrow(() => verify(graph(), 'p'));
  });
}

t.test('a cycle is named in the direction of the data', async (t) => {
  const graph = tiny({
    nodes: [
      ['Add', ['x', 'c'], ['a']],
      ['Relu', ['a'], ['b']],
      ['Neg', ['b'], ['c']],
      ['Abs', ['c'], ['y']],
    ],
  });
  const cycle = findCycle(graph.nodes, (name) => graph.producer(name))!.map(({ name }) => name);
  t.strictSame([...cycle].sort(), ['a', 'b', 'c']);
  t.equal((cycle.indexOf('b') - cycle.indexOf('a') + 3) % 3, 1);
});

/** x -> Relu, Identity, Relu, Identity ... -> y, in the order of the data or against it. */
function chain(length: number, reversed: boolean): Graph {
  const nodes = Array.from({ length }, (_, at) =>
    node(at % 2 ? 'Identity' : 'Relu', [at ? `v${at}` : 'x'], [at + 1 === length ? 'y' : `v${at + 1}`]),
  );
  return whole({ node: reversed ? nodes.reverse() : nodes });
}

/** Milliseconds to sort, verify and rewrite a chain. */
function timeOf(length: number, reversed: boolean): number {
  const graph = chain(length, reversed);
  const start = performance.now();
  graph.sort();
  runPasses(graph, preparation);
  return performance.now() - start;
}

for (const reversed of [false, true]) {
  t.test(
    `50,000 nodes ${reversed ? 'against the order of the data' : 'in order'} take time in proportion`,
    async (t) => {
      timeOf(2000, reversed);
      const few = timeOf(5000, reversed);
      const many = timeOf(50_000, reversed);
      t.comment(`5,000: ${few.toFixed(0)} ms, 50,000: ${many.toFixed(0)} ms`);
      t.ok(many < 40 * few + 200, `${many.toFixed(0)} ms against ${few.toFixed(0)} ms for a tenth`);
    },
  );
}
