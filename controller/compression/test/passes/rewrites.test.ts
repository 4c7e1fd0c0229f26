import { cloneGraph } from '@espalier/compression/onnx/codec';
import type { Tensor } from '@espalier/compression/onnx/tensor';
import { constantsToInitializers } from '@espalier/compression/passes/constants';
import { dropIdentity } from '@espalier/compression/passes/drop-identity';
import { normalizeGemm } from '@espalier/compression/passes/normalize-gemm';
import { type Pass, runPasses } from '@espalier/compression/passes/pass';
import { raiseOpset } from '@espalier/compression/passes/raise-opset';
import { removeDead } from '@espalier/compression/passes/remove-dead';
import t from 'tap';
import { distance, floats, ints, noise, operators, run, type TinyModel, tinyGraph } from '../support/tiny.ts';

const matrix = { inputs: { x: ['N', 4] as (number | string)[] }, outputs: ['y'] };

for (const [name, pass, model, applied, left, input] of [
  [
    'a Constant node becomes an initializer',
    constantsToInitializers,
    {
      ...matrix,
      nodes: [
        ['Constant', [], ['k'], { value: noise([4], 3) }],
        ['Add', ['x', 'k'], ['y']],
      ],
    },
    1,
    ['Add'],
    noise([2, 4], 1),
  ],
  [
    'Identity and Dropout vanish',
    dropIdentity,
    {
      ...matrix,
      nodes: [
        ['Identity', ['x'], ['i']],
        ['Relu', ['i'], ['r']],
        ['Dropout', ['r'], ['d']],
        ['Neg', ['d'], ['y']],
      ],
    },
    2,
    ['Relu', 'Neg'],
    noise([2, 4], 1),
  ],
  [
    'an Identity that names an output stays',
    dropIdentity,
    { ...matrix, nodes: [['Identity', ['x'], ['y']]] },
    0,
    ['Identity'],
    noise([2, 4], 1),
  ],
  [
    'alpha and beta move into the constants of a Gemm',
    normalizeGemm,
    {
      ...matrix,
      constants: { w: noise([4, 3], 1), c: noise([1, 3], 2) },
      nodes: [['Gemm', ['x', 'w', 'c'], ['y'], { alpha: { float: 0.5 }, beta: { float: 2 } }]],
    },
    1,
    ['Gemm'],
    noise([2, 4], 1),
  ],
  [
    'nodes no output depends on go away',
    removeDead,
    {
      ...matrix,
      nodes: [
        ['Relu', ['x'], ['y']],
        ['Neg', ['x'], ['n']],
        ['Abs', ['n'], ['a']],
      ],
    },
    2,
    ['Relu'],
    noise([2, 4], 1),
  ],
  [
    'a model of opset 7 is raised to 13: Clip and Squeeze take their attributes as inputs',
    raiseOpset,
    {
      opset: 7,
      inputs: { x: ['N', 1, 4] },
      outputs: ['y'],
      nodes: [
        ['Clip', ['x'], ['c'], { min: { float: -0.5 }, max: { float: 0.5 } }],
        ['Squeeze', ['c'], ['y'], { axes: [1] }],
      ],
    },
    1,
    ['Clip', 'Squeeze'],
    noise([2, 1, 4], 1),
  ],
] as [string, Pass, TinyModel, number, string[], Tensor][]) {
  t.test(`${name}, and the outputs stay equal`, async (t) => {
    const before = tinyGraph(model);
    const after = cloneGraph(before);
    t.equal(runPasses(after, [pass])[0]!.applied, applied);
    t.strictSame(operators(after), left);
    t.ok(distance((await run(before, { x: input })).y!, (await run(after, { x: input })).y!) < 1e-5);
  });
}

t.test('an operator without a known conversion keeps the model at its opset, and is named', async (t) => {
  const graph = tinyGraph({
    ...matrix,
    opset: 9,
    nodes: [
      ['Relu', ['x'], ['r']],
      ['Softmax', ['r'], ['y'], { axis: 1 }],
    ],
  });
  const [record] = runPasses(graph, [raiseOpset]);
  t.equal(record!.applied, 0);
  t.match(record!.reasons[0], /Softmax/);
  t.equal(graph.opset(), 9);
});

t.test('a Gemm whose C is fed keeps beta, with the reason', async (t) => {
  const graph = tinyGraph({
    inputs: { x: ['N', 4], c: [3] },
    outputs: ['y'],
    constants: { w: noise([4, 3], 1) },
    nodes: [['Gemm', ['x', 'w', 'c'], ['y'], { beta: { float: 2 } }]],
  });
  t.match(runPasses(graph, [normalizeGemm])[0]!.reasons[0], /C is not a constant/);
});

t.test('generated names never collide with names of the model', async (t) => {
  const graph = tinyGraph({
    ...matrix,
    constants: { w: noise([4, 3], 1), 'w/scaled': floats([3], [1, 2, 3]), axes: ints([1]) },
    nodes: [
      ['Gemm', ['x', 'w'], ['g'], { alpha: { float: 3 } }],
      ['Add', ['g', 'w/scaled'], ['y']],
    ],
  });
  runPasses(graph, [normalizeGemm]);
  t.equal(graph.nodes[0]!.inputs[1], 'w/scaled_1');
});
