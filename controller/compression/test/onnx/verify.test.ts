import { floatTensor, int8Tensor, uint8Tensor } from '@espalier/compression/onnx/tensor';
import { verify } from '@espalier/compression/onnx/verify';
import t from 'tap';
import { floats, type TinyModel, tinyGraph } from '../support/tiny.ts';

const base = { inputs: { x: [1, 2] }, outputs: ['y'] } satisfies Partial<TinyModel>;

for (const [rule, model] of [
  [
    'every value has one definition',
    {
      ...base,
      nodes: [
        ['Relu', ['x'], ['y']],
        ['Relu', ['x'], ['y']],
      ],
    },
  ],
  ['a value is defined before it is read', { ...base, nodes: [['Add', ['x', 'later'], ['y']]] }],
  ['a value is defined before it is read', { ...base, nodes: [['Relu', ['x'], ['z']]] }],
  [
    'node names are unique',
    {
      ...base,
      names: ['same', 'same'],
      nodes: [
        ['Relu', ['x'], ['z']],
        ['Relu', ['z'], ['y']],
      ],
    },
  ],
  [
    'a constant is as long as its shape',
    { ...base, constants: { c: floats([3], [1, 2]) }, nodes: [['Add', ['x', 'c'], ['y']]] },
  ],
  [
    'a quantization scale is finite and positive',
    {
      ...base,
      constants: { s: floats([], [0]), z: uint8Tensor([], Uint8Array.of(0)) },
      nodes: [['QuantizeLinear', ['x', 's', 'z'], ['y']]],
    },
  ],
  [
    'zero point and data have one type',
    {
      ...base,
      constants: {
        w: int8Tensor([2], Int8Array.of(1, 2)),
        s: floatTensor([], Float32Array.of(1)),
        z: uint8Tensor([], Uint8Array.of(0)),
      },
      nodes: [
        ['DequantizeLinear', ['w', 's', 'z'], ['d']],
        ['Add', ['x', 'd'], ['y']],
      ],
    },
  ],
] as [string, TinyModel][]) {
  t.test(`a graph that breaks "${rule}" is caught, with the pass and the place`, async (t) => {
    t.throws(() => verify(tinyGraph(model), 'some-pass'), {
      code: 'ESP_GRAPH_BROKEN',
      details: { pass: 'some-pass', rule },
    });
  });
}

t.test('an operator of a domain that is not imported is caught', async (t) => {
  const graph = tinyGraph({ ...base, nodes: [] });
  graph.add({ opType: 'Gelu', domain: 'com.example', inputs: ['x'], outputs: ['y'] });
  t.throws(() => verify(graph, 'p'), { details: { rule: 'every operator set is imported' } });
});

t.test('a valid graph passes', async (t) => {
  t.doesNotThrow(() => verify(tinyGraph({ ...base, nodes: [['Relu', ['x'], ['y']]] }), 'p'));
});
