import { encodeModel } from '@espalier/compression/onnx/codec';
import { SqnrMeter } from '@espalier/compression/quantize/meter';
import { argmax, mcnemar } from '@espalier/compression/recipe/accuracy';
import { measurePair, quantile } from '@espalier/compression/recipe/latency';
import { relativeDifference } from '@espalier/compression/recipe/prepare';
import { Session } from '@espalier/compression/runtime/session';
import { Tensor } from 'onnxruntime-node';
import t from 'tap';
import { noise, tinyGraph } from '../support/tiny.ts';

for (const [fixed, broken, p] of [
  [0, 0, 1],
  [5, 5, 1],
  [0, 6, 0.03125],
  [1, 8, 0.0390625],
  [400, 500, 0.00095],
] as const) {
  t.test(`McNemar's exact p of ${fixed} fixed and ${broken} broken is ${p}`, async (t) => {
    t.ok(Math.abs(mcnemar(fixed, broken) - p) < 0.0001, String(mcnemar(fixed, broken)));
  });
}

t.test('the first of equal largest values is the class', async (t) => {
  t.equal(argmax(Float32Array.of(9, 1, 3, 3), 1, 3), 1);
});

t.test('SQNR is 20 dB at a tenth of the amplitude, and finite for equal outputs', async (t) => {
  const meter = new SqnrMeter();
  meter.add('a', Float32Array.of(10, -10), Float32Array.of(11, -11));
  meter.add('b', Float32Array.of(1), Float32Array.of(1));
  t.strictSame(meter.values(), { a: 20, b: 200 });
});

t.test('a difference is read as a share of the range', async (t) => {
  t.equal(relativeDifference(Float32Array.of(-1, 3), Float32Array.of(-1, 2)), 0.25);
  t.equal(relativeDifference(Float32Array.of(0), Float32Array.of(0.5)), 0.5);
});

t.test('quantiles stay inside the list', async (t) => {
  t.equal(quantile([1, 2, 3], 1), 3);
  t.equal(quantile([], 0.5), 0);
});

/** A session of one small Conv, and inputs for it. */
async function small() {
  const graph = tinyGraph({
    inputs: { x: [1, 4, 8, 8] },
    outputs: ['y'],
    constants: { w: noise([4, 4, 3, 3], 1) },
    nodes: [['Conv', ['x', 'w'], ['y']]],
  });
  const session = await Session.open(encodeModel(graph), 'small');
  t.teardown(() => session.dispose());
  return { session, feeds: { x: new Tensor('float32', new Float32Array(256), [1, 4, 8, 8]) } };
}

t.test('latency: a process that got half of a core is called contended, a whole one clean', async (t) => {
  const { session, feeds } = await small();
  const spent: number[] = [];
  for (const [share, expected] of [
    [0.5, 'contended'],
    [1, 'clean'],
  ] as const) {
    let now = 0;
    const timer = {
      nowUs: () => {
        now += 2000;
        return now;
      },
      cpuUs: () => now * share,
    };
    const found = await measurePair(session, session, feeds, undefined, timer);
    t.equal(found.float.class, expected);
    t.ok(found.float.n > 90 && found.float.p95Us !== null);
    spent.push(found.cpuUs.float);
    t.equal(found.cpuUs.float, found.cpuUs.variant);
  }
  t.equal(spent[0], spent[1]! / 2, 'the processor time of a run is what the process got');
});

t.test('latency: a stopped measurement ends with the reason', async (t) => {
  const { session, feeds } = await small();
  await t.rejects(measurePair(session, session, feeds, AbortSignal.abort(new Error('enough'))), { message: 'enough' });
});
