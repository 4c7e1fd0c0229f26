/** What is called drift: another distribution, and not the chance of a sample. */
import { QUALITY_BINS, type QualitySketch, QualityWindow } from '@espalier/proto';
import { driftAttention } from '@espalier/server/fleet/fleet.controller';
import { driftOf, driftWords, movedClasses, stabilityIndex } from '@espalier/server/quality/drift';
import t from 'tap';
import { seeded } from '../sim/random.ts';

const SEED = Number(process.env.SEED ?? 7);

/** Answers of a ten-class model: `sure` is about its confidence, `skew` how often class 0 comes beyond its share. */
function answers(n: number, sure: number, skew: number, seed: number): QualitySketch {
  const { next: random } = seeded(seed);
  const window = new QualityWindow(10);
  for (let at = 0; at < n; at++) {
    const first = random() < skew ? 0 : Math.floor(10 * random());
    const scores = Array.from({ length: 10 }, () => random());
    scores[first] = sure + 2 * random();
    window.see(scores);
  }
  return window.sketch();
}

const expected = answers(2000, 3, 0, SEED);

t.test('the same world is steady, at any number of answers and any seed', async (t) => {
  for (const n of [200, 500, 5000])
    for (let seed = 1; seed <= 20; seed++) {
      const { verdict, figures } = driftOf(expected, answers(n, 3, 0, SEED + 100 * seed + n));
      t.equal(verdict, 'steady', `${n} answers, seed ${SEED + 100 * seed + n}: ${JSON.stringify(figures)}`);
    }
});

t.test('other classes, or less sure answers, are another world', async (t) => {
  const skewed = driftOf(expected, answers(1000, 3, 0.5, SEED + 1));
  t.equal(skewed.verdict, 'drifted');
  t.match(driftWords(skewed), /classes differ by \d\.\d\d.*; 1000 answers/);
  const unsure = driftOf(expected, answers(1000, 1, 0, SEED + 2));
  t.equal(unsure.verdict, 'drifted');
  t.match(driftWords(unsure), /mean confidence 0\.\d\d instead of 0\.\d\d/);
  t.ok(unsure.figures[0]!.index < 0.1, 'and its classes are as before');
  const [first] = movedClasses(expected, answers(1000, 3, 0.5, SEED + 1), 3);
  t.match(first, { index: 0 });
  t.ok(first!.seen > 45 && first!.expected < 15);
});

t.test('few answers, and answers of another output, say nothing', async (t) => {
  t.equal(driftOf(expected, answers(199, 1, 0.9, SEED)).verdict, 'too-few');
  t.equal(driftOf({ ...expected, width: 11 }, expected).verdict, 'unknown');
});

t.test('the index: 0 for equal shares, finite where a bin is empty, larger the further apart', async (t) => {
  t.equal(stabilityIndex([100, 100], [1000, 1000]), 0);
  const near = stabilityIndex([500, 500], [600, 400]);
  const far = stabilityIndex([500, 500], [1000, 0]);
  t.ok(near > 0.02 && near < 0.06, `(0.1)(ln 1.2) + (0.1)(ln 1.25) is 0.0405: ${near}`);
  t.ok(far > near && Number.isFinite(far));
});

t.test('drift asks for attention, with the way to the device or to the model', async (t) => {
  const seen = answers(1000, 1, 0.5, SEED);
  const now = {
    variantId: 'var-1',
    modelId: 'mod-1',
    profile: 'rpi5',
    digest: 'd',
    expected,
    seen,
    drift: driftOf(expected, seen),
  };
  const names = new Map([['mod-1', 'net 2']]);
  t.match(driftAttention([{ ...now, deviceIds: ['dev-1'] }], names), [
    { code: 'QUALITY_DRIFT', severity: 'warning', link: '/devices/dev-1', title: /net 2 .* rpi5/ },
  ]);
  t.match(driftAttention([{ ...now, deviceIds: ['dev-1', 'dev-2'] }], names), [{ link: '/models/mod-1' }]);
  const steady = driftOf(expected, answers(1000, 3, 0, SEED + 5));
  t.strictSame(driftAttention([{ ...now, deviceIds: ['dev-1'], drift: steady }], names), []);
});

t.test('a window counts probabilities as they are, scores through softmax, and leaves NaN out', async (t) => {
  const [scores, probabilities] = [new QualityWindow(3), new QualityWindow(3)];
  const e = [Math.exp(2), Math.exp(1), Math.exp(0)];
  const sum = e[0]! + e[1]! + e[2]!;
  t.ok(Math.abs(scores.see([9, 2, 1, 0], 1)! - e[0]! / sum) < 1e-9);
  t.ok(Math.abs(probabilities.see(e.map((one) => one / sum))! - e[0]! / sum) < 1e-9);
  t.strictSame(scores.sketch(), probabilities.sketch(), 'the same answer is the same sketch');
  t.equal(scores.see([Number.NaN, 0, 0]), null);
  t.equal(scores.n, 1);
  const even = new QualityWindow(4);
  even.see([1, 1, 1, 1]);
  t.equal(even.sketch().entropy[QUALITY_BINS - 1], 1, 'no class before another: the largest entropy');
  const wide = new QualityWindow(4000);
  for (let at = 0; at < 4000; at++) wide.see(Float32Array.from({ length: 4000 }, (_, one) => (one === at ? 9 : 0)));
  const { classes, others, n } = wide.sketch();
  t.strictSame([classes.length, others, n], [256, 3744, 4000], 'memory and message stay bounded');
});
