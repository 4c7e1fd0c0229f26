/** Values that subgraphs take from outside: they count as uses, are renamed with their readers, and keep their makers. */
import { encodeModel, parseModel } from '@espalier/compression/onnx/codec';
import type { Graph } from '@espalier/compression/onnx/graph';
import { Type } from '@espalier/compression/onnx/tensor';
import { verify } from '@espalier/compression/onnx/verify';
import { preparation, runPasses } from '@espalier/compression/passes/index';
import t, { type Test } from 'tap';
import { graphAttribute, modelFile, node, outputBytes, tensorAttribute, value, weights } from '../support/message.ts';
import { floats, noise, operators } from '../support/tiny.ts';

/** x -> Relu -> outer; sum(x) > 0 ? [then] : [else] at y. */
function branching(then: object, otherwise: object, more: object[] = []): Uint8Array {
  return modelFile({
    input: [value('x', [1, 4])],
    output: [value('y')],
    initializer: weights({ zero: floats([], [0]) }),
    node: [
      node('Relu', ['x'], ['outer']),
      ...more,
      node('ReduceSum', ['x'], ['sum'], { attribute: [{ name: 'keepdims', type: 2, i: 0n }] }),
      node('Greater', ['sum', 'zero'], ['condition']),
      node('If', ['condition'], ['y'], {
        attribute: [graphAttribute('then_branch', then), graphAttribute('else_branch', otherwise)],
      }),
    ],
  });
}
const branch = (name: string, nodes: object[], output = name) => ({ name, output: [value(output)], node: nodes });
const plain = branch('e', [node('Neg', ['x'], ['e'])]);
const feeds = [1, 2, 3, 4].map((seed) => ({ x: noise([1, 4], seed, 3) }));

/** The edited graph computes what the file did, and is valid. */
async function sameAs(t: Test, graph: Graph, file: Uint8Array): Promise<void> {
  t.doesNotThrow(() => verify(graph, 'test'));
  for (const feed of feeds) t.strictSame(await outputBytes(encodeModel(graph), feed), await outputBytes(file, feed));
}

t.test('a value that only a subgraph reads has a reader: dead code removal leaves its maker', async (t) => {
  const file = branching(branch('t', [node('Exp', ['outer'], ['t'])]), plain);
  const graph = parseModel(file);
  t.strictSame(
    graph.consumers('outer').map(({ opType }) => opType),
    ['If'],
  );
  t.notOk(graph.isSoleUse('x', graph.nodes[0]!));
  runPasses(graph, preparation);
  t.ok(operators(graph).includes('Relu'));
  await sameAs(t, graph, file);
});

t.test('a value that a subgraph returns as it is counts too', async (t) => {
  const file = branching(branch('t', [], 'outer'), plain);
  const graph = parseModel(file);
  t.ok(graph.isCaptured('outer'));
  t.strictSame([...graph.captured].sort(), ['outer', 'x']);
});

t.test('an inner value of the same name is not captured', async (t) => {
  const graph = parseModel(
    branching(branch('t', [node('Exp', ['x'], ['inner']), node('Neg', ['inner'], ['t'])]), plain),
  );
  t.notOk(graph.isCaptured('inner'));
  t.not(graph.freshName('inner'), 'inner');
});

t.test('captures reach through two levels', async (t) => {
  const nested = node('If', ['condition'], ['t'], {
    attribute: [
      graphAttribute('then_branch', branch('tt', [node('Exp', ['outer'], ['tt'])])),
      graphAttribute('else_branch', branch('ee', [node('Neg', ['x'], ['ee'])])),
    ],
  });
  const file = branching(branch('t', [nested]), plain);
  const graph = parseModel(file);
  t.ok(graph.isCaptured('outer'));
  const copy = graph.add({ opType: 'Identity', inputs: ['outer'], outputs: [graph.freshName('copy')] });
  graph.replaceUses('outer', copy.outputs[0]!);
  graph.setInput(copy, 0, 'outer');
  graph.sort();
  await sameAs(t, graph, file);
  t.notOk(graph.isCaptured('outer'));
});

t.test('renaming goes into subgraphs, and an inner value in its way gets another name', async (t) => {
  const taken = branch('t', [node('Exp', ['outer'], ['better']), node('Neg', ['better'], ['t'])]);
  const file = branching(taken, plain);
  const graph = parseModel(file);
  graph.change(graph.producer('outer')!, { outputs: ['better'] });
  graph.replaceUses('outer', 'better');
  t.ok(graph.isCaptured('better'));
  await sameAs(t, graph, file);
});

t.test('a captured Identity and a captured Constant survive every pass', async (t) => {
  const more = [
    node('Identity', ['outer'], ['same']),
    node('Constant', [], ['k'], { attribute: [tensorAttribute('value', floats([4], [1, 2, 3, 4]))] }),
  ];
  const file = branching(branch('t', [node('Mul', ['same', 'k'], ['t'])]), plain, more);
  const graph = parseModel(file);
  runPasses(graph, preparation);
  await sameAs(t, graph, file);
});

t.test('a node whose subgraph captures is sorted after the maker', async (t) => {
  const graph = parseModel(branching(branch('t', [node('Exp', ['outer'], ['t'])]), plain));
  const relu = graph.producer('outer')!;
  graph.remove(relu);
  graph.add({ opType: 'Relu', inputs: ['x'], outputs: ['outer'] });
  t.throws(() => verify(graph, 'test'), {
    code: 'ESP_GRAPH_BROKEN',
    details: { rule: 'a value is defined before it is read' },
  });
  graph.sort();
  t.doesNotThrow(() => verify(graph, 'test'));
});

t.test('a capture of nothing is refused', async (t) => {
  const graph = parseModel(branching(branch('t', [node('Exp', ['nowhere'], ['t'])]), plain));
  t.throws(() => verify(graph, 'test'), { code: 'ESP_GRAPH_BROKEN', details: { why: /nowhere/ } });
});

t.test('what a Loop body defines itself is not captured', async (t) => {
  const body = {
    name: 'body',
    input: [value('i', [], Type.INT64), value('c', [], Type.BOOL), value('carried')],
    output: [value('c', [], Type.BOOL), value('next')],
    node: [node('Add', ['carried', 'x'], ['next'])],
  };
  const graph = parseModel(
    modelFile({
      input: [value('x', [1])],
      output: [value('y')],
      node: [node('Loop', ['', '', 'x'], ['y'], { attribute: [graphAttribute('body', body)] })],
    }),
  );
  t.strictSame([...graph.captured], ['x']);
});
