/** A file read and written unchanged computes the same, bit for bit: real models, and one tiny model a feature. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { encodeModel, parseModel, readModel } from '@espalier/compression/onnx/codec';
import { Type } from '@espalier/compression/onnx/tensor';
import { verify } from '@espalier/compression/onnx/verify';
import { defaultOptions, Session } from '@espalier/compression/runtime/session';
import t from 'tap';
import {
  graphAttribute,
  type ModelInit,
  modelFile,
  node,
  outputBytes,
  value,
  weights,
  withTwice,
} from '../support/message.ts';
import { sample } from '../support/sample.ts';
import { floats, ints, noise } from '../support/tiny.ts';

const models = path.join(import.meta.dirname, '..', '..', '..', '..', '..', 'shared', 'data', 'models');
const real = existsSync(models) ? readdirSync(models).filter((file) => file.endsWith('.onnx')) : [];

/** Random inputs of the shapes a model asks for, one sample where the batch may vary. */
async function feedsOf(file: string) {
  const session = await Session.open(file, file, defaultOptions);
  const { inputs } = session;
  await session.dispose();
  const sized = inputs.map(
    ({ name, shape }) => [name, shape.map((dim) => (typeof dim === 'number' ? dim : 1))] as const,
  );
  return Object.fromEntries(sized.map(([name, dims], at) => [name, noise(dims, at + 1)]));
}

for (const file of [sample.model, ...real.map((name) => path.join(models, name))]) {
  t.test(`${path.basename(file)} computes the same after reading and writing`, async (t) => {
    const feeds = await feedsOf(file);
    const graph = await readModel(file);
    verify(graph, 'reading');
    t.strictSame(await outputBytes(encodeModel(graph), feeds), await outputBytes(file, feeds));
  });
}

const x = value('x', [1, 4]);
const y = value('y');
const positive = {
  name: 'then',
  output: [value('a')],
  node: [node('Mul', ['x', 'w'], ['a'])],
};
const negative = {
  name: 'else',
  output: [value('b')],
  initializer: weights({ bias: floats([1, 4], [4, 3, 2, 1]) }),
  node: [node('Add', ['outer', 'bias'], ['b'])],
};

for (const [feature, graph, more] of [
  [
    'If whose branches capture an input, a constant and an inner value',
    {
      input: [x],
      output: [y],
      initializer: weights({ w: noise([1, 4], 5), zero: floats([], [0]) }),
      node: [
        node('Relu', ['x'], ['outer']),
        node('ReduceSum', ['x'], ['sum'], { attribute: [{ name: 'keepdims', type: 2, i: 0n }] }),
        node('Greater', ['sum', 'zero'], ['condition']),
        node('If', ['condition'], ['y'], {
          attribute: [graphAttribute('then_branch', positive), graphAttribute('else_branch', negative)],
        }),
      ],
    },
  ],
  [
    'Loop that captures a constant',
    {
      input: [x],
      output: [y],
      initializer: weights({
        step: noise([1, 4], 6),
        trips: ints([3]),
        go: { ...ints([]), dims: [], type: Type.BOOL, bytes: Uint8Array.of(1) },
      }),
      node: [
        node('Loop', ['trips', 'go', 'x'], ['y'], {
          attribute: [
            graphAttribute('body', {
              name: 'body',
              input: [value('i', [], Type.INT64), value('c', [], Type.BOOL), value('carried')],
              output: [value('c2', [], Type.BOOL), value('next')],
              node: [node('Identity', ['c'], ['c2']), node('Add', ['carried', 'step'], ['next'])],
            }),
          ],
        }),
      ],
    },
  ],
  [
    'Scan with a state',
    {
      input: [value('x', [3, 2])],
      output: [value('last'), value('all')],
      initializer: weights({ start: floats([2], [0, 0]) }),
      node: [
        node('Scan', ['start', 'x'], ['last', 'all'], {
          attribute: [
            { name: 'num_scan_inputs', type: 2, i: 1n },
            graphAttribute('body', {
              name: 'body',
              input: [value('s', [2]), value('row', [2])],
              output: [value('s2', [2]), value('out', [2])],
              node: [node('Add', ['s', 'row'], ['s2']), node('Identity', ['s2'], ['out'])],
            }),
          ],
        }),
      ],
    },
  ],
  [
    'a function of a domain of its own, called twice',
    {
      input: [x],
      output: [y],
      node: ['x', 'h'].map((from, at) => node('Twice', [from], [['h', 'y'][at]!], { domain: 'local' })),
    },
    withTwice,
  ],
  [
    'an operator of the runtime’s own domain',
    { input: [x], output: [y], node: [node('Gelu', ['x'], ['y'], { domain: 'com.microsoft' })] },
    { opsetImport: [{ version: 17n }, { domain: 'com.microsoft', version: 1n }] },
  ],
  [
    'absent optional inputs and nodes without names',
    {
      input: [x],
      output: [y],
      initializer: weights({ most: floats([], [0.5]) }),
      node: [node('Clip', ['x', '', 'most'], ['c']), node('Neg', ['c'], ['y'])],
    },
  ],
  [
    'a sparse initializer',
    {
      input: [x],
      output: [y],
      sparseInitializer: [
        {
          dims: [4n, 2n],
          values: weights({ w: floats([2], [3, -2]) })[0]!,
          indices: weights({ '': ints([1, 6]) })[0]!,
        },
      ],
      node: [node('MatMul', ['x', 'w'], ['y'])],
    },
  ],
  [
    'weights repeated as inputs at IR 3',
    {
      input: [x, value('w', [4, 2])],
      output: [y],
      initializer: weights({ w: noise([4, 2], 7) }),
      node: [node('MatMul', ['x', 'w'], ['y'])],
    },
    { irVersion: 3n, opsetImport: [{ version: 7n }] },
  ],
  [
    'an output that is a constant, and one that is an input',
    {
      input: [x],
      output: [value('x', [1, 4]), value('k', [2])],
      initializer: weights({ k: floats([2], [1, 2]) }),
      node: [],
    },
  ],
] as [string, NonNullable<ModelInit['graph']>, ModelInit?][]) {
  t.test(`${feature}: the same after reading and writing`, async (t) => {
    const file = modelFile(graph as object, more);
    const read = parseModel(file);
    t.doesNotThrow(() => verify(read, 'reading'));
    const shape = feature.startsWith('Scan') ? [3, 2] : [1, 4];
    for (const seed of [1, 2, 3]) {
      const feeds = { x: noise(shape, seed, 4) };
      t.strictSame(await outputBytes(encodeModel(read), feeds), await outputBytes(file, feeds));
    }
  });
}

t.test('what has no meaning for computing is carried too', async (t) => {
  const more = {
    docString: 'about the model',
    metadataProps: [{ key: 'author', value: 'somebody' }],
    producerName: 'exporter',
  };
  const graph = {
    docString: 'about the graph',
    input: [x],
    output: [y],
    valueInfo: [value('h', [1, 4])],
    node: [
      node('Relu', ['x'], ['h'], {
        name: 'first',
        docString: 'why',
        metadataProps: [{ key: 'from', value: 'line 3' }],
      }),
      node('Custom', ['h'], ['y'], { domain: 'vendor', overload: 'v2' }),
    ],
  };
  const opsetImport = [{ version: 17n }, { domain: 'vendor', version: 1n }];
  const { shell, nodes } = parseModel(encodeModel(parseModel(modelFile(graph, { ...more, opsetImport }))));
  t.match(shell, { ...more, graph: { docString: 'about the graph', valueInfo: [{ name: 'h' }] } });
  t.match(nodes[0]!.source, { name: 'first', docString: 'why', metadataProps: [{ key: 'from', value: 'line 3' }] });
  t.match(nodes[1], { opType: 'Custom', domain: 'vendor', source: { overload: 'v2' } });
});

t.test('a model written below IR 4 says that its initializers are no inputs', async (t) => {
  const file = readFileSync(sample.model);
  t.equal(parseModel(encodeModel(parseModel(file))).shell.irVersion, parseModel(file).shell.irVersion);
  const old = modelFile(
    {
      input: [x, value('w', [4])],
      output: [y],
      initializer: weights({ w: noise([4], 1) }),
      node: [node('Add', ['x', 'w'], ['y'])],
    },
    { irVersion: 3n },
  );
  t.equal(parseModel(encodeModel(parseModel(old))).shell.irVersion, 4n);
});

t.test('nodes that all have one name, which ONNX Runtime refuses, get names of their own', async (t) => {
  const chain = (name: string) =>
    modelFile({
      input: [x],
      output: [y],
      node: [
        node('Relu', ['x'], ['r'], { name }),
        node('Neg', ['r'], ['s'], { name }),
        node('Abs', ['s'], ['y'], { name }),
      ],
    });
  const read = parseModel(chain('n'));
  t.equal(new Set(read.nodes.map(({ name }) => name)).size, 3);
  const feeds = { x: noise([1, 4], 1) };
  t.strictSame(await outputBytes(encodeModel(read), feeds), await outputBytes(chain(''), feeds));
});
