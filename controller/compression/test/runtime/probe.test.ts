/** A model is loaded in a process of its own: whatever becomes of that process, the caller gets an answer. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { limitsFor, limitsOf, probeModel } from '@espalier/compression/runtime/probe';
import { contradiction } from '@espalier/compression/runtime/trial';
import t from 'tap';
import { graphAttribute, modelFile, node, value, weights } from '../support/message.ts';
import { sample } from '../support/sample.ts';
import { floats } from '../support/tiny.ts';

const linux = process.platform === 'linux' ? {} : { skip: 'needs /proc' };

t.test('inputs and outputs come back', async (t) => {
  t.match(await probeModel(sample.model, limitsFor(0)), { inputs: [{ name: 'image' }], outputs: [{ name: 'logits' }] });
});

t.test('what the runtime refuses is refused in its words', async (t) => {
  const file = path.join(t.testdir(), 'm.onnx');
  writeFileSync(file, modelFile({ input: [value('x')], output: [value('y')], node: [node('Nothing', ['x'], ['y'])] }));
  await t.rejects(probeModel(file, limitsFor(0)), { code: 'ESP_RUNTIME_REFUSED', message: /Nothing/ });
});

t.test('a process that takes too long or too much is ended', linux, async (t) => {
  const { timeMs, memoryBytes } = limitsFor(0);
  await t.rejects(probeModel(sample.model, { timeMs: 1, memoryBytes }), {
    code: 'ESP_RUNTIME_CRASHED',
    message: /0 s/,
  });
  const small = { timeMs, memoryBytes: 1e6 };
  await t.rejects(probeModel(sample.model, small), { code: 'ESP_RUNTIME_CRASHED', message: /1 MB of memory/ });
});

/** The children of a process, as Linux lists them. */
const childrenOf = (pid: number): number[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );

t.test('a fault in native code ends the process of the model only', linux, async (t) => {
  const before = new Set(childrenOf(process.pid));
  const refused = t.rejects(probeModel(sample.model, limitsFor(0)), {
    code: 'ESP_RUNTIME_CRASHED',
    message: /SIGSEGV/,
  });
  let child: number | undefined;
  for (let tries = 0; !child && tries < 100; tries++) {
    await pause(5);
    child = childrenOf(process.pid).find((pid) => !before.has(pid));
  }
  process.kill(child!, 'SIGSEGV');
  await refused;
});

t.test('a loop that never ends is given up', async (t) => {
  const file = path.join(t.testdir(), 'm.onnx');
  const body = {
    name: 'body',
    input: [value('i', [], 7), value('c', [], 9), value('v')],
    output: [value('again', [], 9), value('same')],
    node: [node('Identity', ['v'], ['same']), node('Less', ['low', 'high'], ['again'])],
  };
  const loop = modelFile({
    input: [value('x', [])],
    output: [value('y')],
    initializer: weights({ low: floats([], [0]), high: floats([], [1]) }),
    node: [node('Loop', ['', '', 'x'], ['y'], { attribute: [graphAttribute('body', body)] })],
  });
  writeFileSync(file, loop);
  const limits = { ...limitsFor(0), timeMs: 1500 };
  await t.rejects(probeModel(file, limits), { code: 'ESP_RUNTIME_CRASHED', message: /not done after 2 s/ });
});

const port = (name: string, shape: (number | string)[]) => ({ name, type: 'float32', shape });
for (const [what, input, output, ran, said] of [
  ['sizes as declared', ['N', 3], ['N', 10], [1, 10], null],
  ['another size', ['N', 3], ['N', 3], [1, 10], 'its output y is declared [N,3] and is [1,10]'],
  ['another number of axes', ['N', 3], ['N', 3], [1, 3, 1], 'its output y is declared [N,3] and is [1,3,1]'],
  ['a fixed batch where it may vary', ['N', 3], [4, 3], [1, 3], null],
  ['the sizes of an example', ['N', 'H'], ['N', 3], [1, 10], null],
] as const) {
  t.test(`an output with ${what}: ${said ?? 'taken'}`, async (t) => {
    const ports = { inputs: [port('x', [...input])], outputs: [port('y', [...output])] };
    t.equal(contradiction(ports, { y: [...ran] }), said);
  });
}

t.test('the limits grow with the weights, those of side files too, and follow the machine', async (t) => {
  const constants = new Map([['w', { type: 2, dims: [1e6], bytes: new Uint8Array(1e6) }]]);
  const graph = { constants } as unknown as Parameters<typeof limitsOf>[0];
  t.strictSame(limitsOf(graph), limitsFor(1e6));
  t.strictSame(limitsFor(0, 64e9), { timeMs: 8000, memoryBytes: 4e9 });
  t.strictSame(limitsFor(1e8, 2e9), { timeMs: 18_000, memoryBytes: 1.8e9 });
});
