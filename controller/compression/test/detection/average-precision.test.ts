/**
 * Cases computed by hand from the definition. Beside these, 60 random images with crowds, size classes and more than 100
 * detections gave the nine figures of pycocotools 2.0.11 to 1e-15.
 */
import { agreementOf } from '@espalier/compression/detection/agreement';
import { averagePrecision } from '@espalier/compression/detection/average-precision';
import type { Detection, Truth } from '@espalier/compression/detection/scene';
import t from 'tap';

const box = (left: number, top: number, width: number, height: number) => ({
  ...{ left, top },
  right: left + width,
  bottom: top + height,
});
const truth = (at: ReturnType<typeof box>, more: Partial<Truth> = {}): Truth => ({
  ...{ box: at, category: 1, crowd: false },
  area: (at.right - at.left) * (at.bottom - at.top),
  ...more,
});
const seen = (at: ReturnType<typeof box>, score: number, category = 1): Detection => ({ box: at, category, score });
const near = (t: Pick<typeof import('tap').t, 'ok'>, found: number | null, wanted: number, what?: string) =>
  t.ok(found !== null && Math.abs(found - wanted) < 1e-12, `${what ?? ''} ${found} is ${wanted}`);

const [a, b, elsewhere] = [box(0, 0, 10, 10), box(50, 50, 10, 10), box(200, 200, 10, 10)];

t.test('right, wrong, right: precision 1 up to recall 0.5, then 2/3', async (t) => {
  const found = averagePrecision([
    { truths: [truth(a), truth(b)], detections: [seen(b, 0.7), seen(elsewhere, 0.8), seen(a, 0.9)] },
  ]);
  // 51 recalls from 0 to 0.50 have precision 1, the other 50 have 2/3.
  const wanted = (51 + (50 * 2) / 3) / 101;
  for (const key of ['ap', 'ap50', 'ap75', 'apSmall'] as const) near(t, found[key], wanted, key);
  near(t, found.ar1, 0.5);
  near(t, found.ar10, 1);
  t.strictSame([found.apMedium, found.apLarge], [null, null], 'nothing of that size is there');
});

t.test('an overlap of 0.61 counts at 0.50, 0.55 and 0.60', async (t) => {
  const found = averagePrecision([{ truths: [truth(a)], detections: [seen(box(2.4, 0, 10, 10), 0.9)] }]);
  near(t, found.ap, 0.3);
  near(t, found.ap50, 1);
  near(t, found.ap75, 0);
});

t.test('the second detection of one object is wrong, the second of a crowd is not', async (t) => {
  const twice = [seen(a, 0.9), seen(a, 0.8), seen(b, 0.7)];
  const plain = averagePrecision([{ truths: [truth(a), truth(b)], detections: twice }]);
  near(t, plain.ap, (51 + (50 * 2) / 3) / 101);
  const crowd = truth(box(0, 0, 20, 20), { crowd: true });
  const crowded = averagePrecision([{ truths: [crowd, truth(b)], detections: twice }]);
  near(t, crowded.ap, 1, 'both lie in the crowd, and are left out');
});

t.test('a detection goes to the object that counts before one of another size', async (t) => {
  const large = truth(box(0, 0, 100, 100));
  const found = averagePrecision([{ truths: [large, truth(a)], detections: [seen(box(0, 0, 100, 100), 0.9)] }]);
  near(t, found.apLarge, 1);
  near(t, found.apSmall, 0, 'the large detection is left out, and the small object is not found');
});

t.test('categories count alike, and one that is nowhere in the data does not count', async (t) => {
  const found = averagePrecision([
    { truths: [truth(a), truth(b, { category: 2 })], detections: [seen(a, 0.9), seen(elsewhere, 0.9, 3)] },
  ]);
  near(t, found.ap, 0.5);
});

t.test('an image without objects still has wrong detections; no object at all is no figure', async (t) => {
  const found = averagePrecision([
    { truths: [], detections: [seen(a, 0.9)] },
    { truths: [truth(a)], detections: [seen(a, 0.8)] },
  ]);
  near(t, found.ap, 0.5);
  t.equal(averagePrecision([{ truths: [], detections: [seen(a, 1)] }]).ap, null);
});

t.test('agreement pairs boxes of one category, each once', async (t) => {
  const shifted = box(2.4, 0, 10, 10);
  const found = agreementOf([
    { float: [seen(a, 0.9), seen(b, 0.9)], variant: [seen(shifted, 0.9), seen(a, 0.5), seen(b, 0.9, 2)] },
  ]);
  t.match(found, { boxesFloat: 2, boxes: 3, matched: 1, percent: 40, meanOverlap: 1 });
  t.match(agreementOf([{ float: [], variant: [] }]), { percent: 100, meanOverlap: null });
});
