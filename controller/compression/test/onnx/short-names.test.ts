/** Short names for a small file: nothing but names changes. */
import { encodeModel, parseModel } from '@espalier/compression/onnx/codec';
import { shortenNames } from '@espalier/compression/onnx/short-names';
import { verify } from '@espalier/compression/onnx/verify';
import t from 'tap';
import { graphAttribute, modelFile, node, outputBytes, value, weights } from '../support/message.ts';
import { floats, noise } from '../support/tiny.ts';

t.test('inner values and constants are called something short, and the outputs stay bit-equal', async (t) => {
  const file = modelFile({
    input: [value('x', [1, 4])],
    output: [value('y')],
    initializer: weights({ 'backbone/layer1/bias': noise([4], 1), 'backbone/scale': floats([], [0.1]) }),
    valueInfo: [value('backbone/layer1/sum', [1, 4])],
    node: [
      node('Add', ['x', 'backbone/layer1/bias'], ['backbone/layer1/sum']),
      node('Relu', ['backbone/layer1/sum'], ['backbone/layer1/relu']),
      node('Mul', ['backbone/layer1/relu', 'backbone/scale'], ['y']),
    ],
  });
  const graph = shortenNames(parseModel(file));
  t.doesNotThrow(() => verify(graph, 'test'));
  const bytes = encodeModel(graph);
  const values = graph.nodes.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]);
  t.ok(
    values.every((name) => name.length === 1),
    values.join(' '),
  );
  t.strictSame(
    [graph.inputs, graph.outputs].map(([one]) => one!.name),
    ['x', 'y'],
  );
  const x = noise([1, 4], 3);
  t.strictSame(await outputBytes(bytes, { x }), await outputBytes(file, { x }));
});

t.test('what subgraphs mention keeps its name, and no short name hides one of theirs', async (t) => {
  const branch = (name: string, nodes: object[]) => ({ name, output: [value(name)], node: nodes });
  const file = modelFile({
    input: [value('x', [1, 4])],
    output: [value('y')],
    initializer: weights({ zero: floats([], [0]) }),
    node: [
      node('Relu', ['x'], ['outer']),
      node('ReduceSum', ['x'], ['total'], { attribute: [{ name: 'keepdims', type: 2, i: 0n }] }),
      node('Greater', ['total', 'zero'], ['condition']),
      node('If', ['condition'], ['y'], {
        attribute: [
          graphAttribute('then_branch', branch('t', [node('Exp', ['outer'], ['0']), node('Neg', ['0'], ['t'])])),
          graphAttribute('else_branch', branch('e', [node('Neg', ['outer'], ['e'])])),
        ],
      }),
    ],
  });
  const graph = shortenNames(parseModel(file));
  t.ok(graph.nodes.some(({ outputs }) => outputs.includes('outer')));
  t.notOk(graph.nodes.some(({ outputs }) => outputs.includes('0')));
  for (const seed of [1, 2, 3]) {
    const x = noise([1, 4], seed, 3);
    t.strictSame(await outputBytes(encodeModel(graph), { x }), await outputBytes(file, { x }));
  }
});
