/** Operators written out in smaller ones become single operators again, and compute the same. */
import { cloneGraph } from '@espalier/compression/onnx/codec';
import { type Pass, runPasses } from '@espalier/compression/passes/index';
import { recognizeGelu } from '@espalier/compression/passes/recognize-gelu';
import { recognizeHardSwish } from '@espalier/compression/passes/recognize-hard-swish';
import { recognizeLayerNorm } from '@espalier/compression/passes/recognize-layer-norm';
import { recognizeSilu } from '@espalier/compression/passes/recognize-silu';
import t from 'tap';
import { distance, floats, noise, operators, run, type TinyModel, tinyGraph } from '../support/tiny.ts';

const number = (value: number) => floats([], [value]);
const constants = {
  three: number(3),
  zero: number(0),
  six: number(6),
  sixth: number(1 / 6),
  half: number(0.5),
  one: number(1),
  two: number(2),
  root2: number(Math.SQRT2),
  inverseRoot2: number(Math.SQRT1_2),
  rootOfTwoOverPi: number(Math.sqrt(2 / Math.PI)),
  third: number(3),
  cubic: number(0.044715),
  epsilon: number(1e-5),
  gamma: noise([8], 5),
  beta: noise([8], 6),
  single: floats([1], [0.7]),
};
/** A tiny model on [2, 5, 8] that ends in y. */
const model = (opset: number, nodes: TinyModel['nodes'], outputs = ['y']) =>
  tinyGraph({ opset, inputs: { x: [2, 5, 8] }, outputs, constants, nodes });

const clip: TinyModel['nodes'] = [
  ['Add', ['x', 'three'], ['a']],
  ['Clip', ['a', 'zero', 'six'], ['c']],
];
const erf: TinyModel['nodes'] = [
  ['Div', ['x', 'root2'], ['s']],
  ['Erf', ['s'], ['e']],
  ['Add', ['one', 'e'], ['g']],
];
const tanh = (cube: TinyModel['nodes']): TinyModel['nodes'] => [
  ...cube,
  ['Mul', ['cubic', 'x3'], ['q']],
  ['Add', ['q', 'x'], ['i']],
  ['Mul', ['i', 'rootOfTwoOverPi'], ['j']],
  ['Tanh', ['j'], ['h']],
  ['Add', ['h', 'one'], ['g']],
  ['Mul', ['x', 'g'], ['p']],
  ['Mul', ['p', 'half'], ['y']],
];
const norm = (square: TinyModel['nodes'][number], end: TinyModel['nodes']): TinyModel['nodes'] => [
  ['ReduceMean', ['x'], ['m'], { axes: [-1] }],
  ['Sub', ['x', 'm'], ['d']],
  square,
  ['ReduceMean', ['d2'], ['v'], { axes: [2] }],
  ['Add', ['v', 'epsilon'], ['w']],
  ['Sqrt', ['w'], ['r']],
  ['Div', ['d', 'r'], ['n']],
  ...end,
];
const affine: TinyModel['nodes'] = [
  ['Mul', ['n', 'gamma'], ['k']],
  ['Add', ['k', 'beta'], ['y']],
];

const forms: [what: string, pass: Pass, opset: number, nodes: TinyModel['nodes'], becomes: string][] = [
  [
    'x HardSigmoid(x)',
    ...([recognizeHardSwish, 14] as const),
    [
      ['HardSigmoid', ['x'], ['h'], { alpha: { float: 1 / 6 }, beta: { float: 0.5 } }],
      ['Mul', ['h', 'x'], ['y']],
    ],
    'HardSwish',
  ],
  [
    'x (Clip(x + 3) / 6)',
    ...([recognizeHardSwish, 14] as const),
    [...clip, ['Div', ['c', 'six'], ['d']], ['Mul', ['x', 'd'], ['y']]],
    'HardSwish',
  ],
  [
    '(x Clip(x + 3)) / 6',
    ...([recognizeHardSwish, 14] as const),
    [...clip, ['Mul', ['x', 'c'], ['d']], ['Mul', ['sixth', 'd'], ['y']]],
    'HardSwish',
  ],
  [
    'x Sigmoid(x)',
    ...([recognizeSilu, 24] as const),
    [
      ['Sigmoid', ['x'], ['s']],
      ['Mul', ['x', 's'], ['y']],
    ],
    'Swish',
  ],
  [
    '(x (1 + erf)) / 2',
    ...([recognizeGelu, 20] as const),
    [...erf, ['Mul', ['x', 'g'], ['p']], ['Mul', ['p', 'half'], ['y']]],
    'Gelu',
  ],
  [
    '(x / 2) (1 + erf), by a product',
    ...([recognizeGelu, 20] as const),
    [['Mul', ['inverseRoot2', 'x'], ['s']], ...erf.slice(1), ['Mul', ['half', 'x'], ['p']], ['Mul', ['p', 'g'], ['y']]],
    'Gelu',
  ],
  ['tanh, cube as Pow', recognizeGelu, 20, tanh([['Pow', ['x', 'third'], ['x3']]]), 'Gelu'],
  [
    'tanh, cube as products',
    ...([recognizeGelu, 20] as const),
    tanh([
      ['Mul', ['x', 'x'], ['x2']],
      ['Mul', ['x', 'x2'], ['x3']],
    ]),
    'Gelu',
  ],
  ['square as Pow', recognizeLayerNorm, 17, norm(['Pow', ['d', 'two'], ['d2']], affine), 'LayerNormalization'],
  [
    'square as a product, no bias',
    ...([recognizeLayerNorm, 17] as const),
    norm(['Mul', ['d', 'd'], ['d2']], [['Mul', ['gamma', 'n'], ['y']]]),
    'LayerNormalization',
  ],
];

for (const [what, pass, opset, nodes, becomes] of forms) {
  t.test(`${pass.name}: ${what}`, async (t) => {
    const graph = model(opset, nodes);
    const rewritten = cloneGraph(graph);
    t.match(runPasses(rewritten, [pass]), [{ applied: 1 }]);
    t.strictSame(operators(rewritten), [becomes]);
    const x = noise([2, 5, 8], 3, 3);
    const [before, after] = [await run(graph, { x }, 'disabled'), await run(rewritten, { x })];
    t.ok(distance(before.y!, after.y!) < 2e-5, String(distance(before.y!, after.y!)));
  });

  t.test(`${pass.name}: ${what}: an older opset says so`, async (t) => {
    const [record] = runPasses(model(opset - 1, nodes), [pass]);
    t.match(record, { applied: 0, reasons: [new RegExp(`opset ${opset - 1} has no ${becomes}`)] });
  });

  t.test(`${pass.name}: ${what}: a part that is read elsewhere stays`, async (t) => {
    const [record] = runPasses(model(opset, nodes, ['y', nodes[0]![2][0]!]), [pass]);
    t.equal(record!.applied, 0);
    t.match(record!.reasons, [/read elsewhere/]);
  });
}

const others: [what: string, pass: Pass, nodes: TinyModel['nodes']][] = [
  [
    'the default slope of HardSigmoid',
    recognizeHardSwish,
    [
      ['HardSigmoid', ['x'], ['h']],
      ['Mul', ['h', 'x'], ['y']],
    ],
  ],
  ['not divided by 6', recognizeHardSwish, [...clip, ['Mul', ['x', 'c'], ['y']]]],
  [
    'another gate input',
    recognizeSilu,
    [
      ['Relu', ['x'], ['r']],
      ['Sigmoid', ['r'], ['s']],
      ['Mul', ['x', 's'], ['y']],
    ],
  ],
  ['not halved', recognizeGelu, [...erf, ['Mul', ['x', 'g'], ['y']]]],
  [
    'a mean over another axis',
    recognizeLayerNorm,
    [
      ...norm(['Mul', ['d', 'd'], ['d2']], affine).map((node): TinyModel['nodes'][number] =>
        node[0] === 'ReduceMean' ? ['ReduceMean', node[1], node[2], { axes: [1] }] : node,
      ),
    ],
  ],
  ['one scale for all', recognizeLayerNorm, norm(['Mul', ['d', 'd'], ['d2']], [['Mul', ['n', 'single'], ['y']]])],
];
for (const [what, pass, nodes] of others) {
  t.test(`${pass.name}: ${what}: stays`, async (t) => {
    const graph = model(17, nodes);
    t.match(runPasses(graph, [pass]), [{ applied: 0 }]);
    t.equal(graph.nodes.length, nodes.length);
  });
}

t.test('a number in front of x belongs to x', async (t) => {
  const graph = model(14, [
    ['Mul', ['x', 'two'], ['x2']],
    ['HardSigmoid', ['x2'], ['h'], { alpha: { float: 1 / 6 }, beta: { float: 0.5 } }],
    ['Mul', ['x2', 'h'], ['y']],
  ]);
  const rewritten = cloneGraph(graph);
  runPasses(rewritten, [recognizeHardSwish]);
  t.strictSame(operators(rewritten), ['Mul', 'HardSwish']);
  const x = noise([2, 5, 8], 4, 2);
  t.ok(distance((await run(graph, { x })).y!, (await run(rewritten, { x })).y!) < 2e-6);
});
