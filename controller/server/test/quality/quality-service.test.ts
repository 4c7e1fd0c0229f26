/** What devices tell of their models' answers is added up by the hour, once, and held against the build's own evaluation. */
import { QualityWindow } from '@espalier/proto';
import { QualityEntity } from '@espalier/server/quality/quality.entity';
import { QualityService } from '@espalier/server/quality/quality.service';
import { VariantEntity } from '@espalier/server/variants/variant.entity';
import t from 'tap';
import { addDevice, addVariant, changeDevice, openWork, SAMPLE, scratchFolder } from '../support/work.ts';

const work = await openWork(scratchFolder(t));
t.teardown(() => work.database.close());
const db = work.database.source;
const quality = new QualityService(db, work.variantRows, work.clock);
const model = await work.models.register(`${SAMPLE}/fashion-ds.onnx`, { fileName: 'fashion-ds.onnx' });

/** Answers of a three-class model, all of one class. */
function said(n: number, first: number, width = 3) {
  const window = new QualityWindow(width);
  for (let at = 0; at < n; at++) window.see(Array.from({ length: width }, (_, one) => (one === first ? 4 : 0)));
  return window.sketch();
}
const variant = await addVariant(work, model.id, 'int8');
const report = { ...variant.report!, quality: said(400, 1) };
await db.getRepository(VariantEntity).update({ id: variant.id }, { report } as object);
const digest = variant.digest!;
for (const id of ['dev-a', 'dev-b']) await addDevice(work, id, { servingDigest: digest });

const at = (hoursAgo: number): string => new Date(work.clock.now().getTime() - hoursAgo * 3_600_000).toISOString();
const record = (deviceId: string, endedAt: string, sketch = said(100, 1), of = digest): Promise<void> =>
  db.transaction((manager) => quality.record(deviceId, { digest: of, endedAt, quality: sketch }, manager));

t.test('windows of an hour become one row; the last day counts, over all devices or one', async (t) => {
  await record('dev-a', at(0));
  await record('dev-a', at(0));
  await record('dev-b', at(5));
  await record('dev-b', at(30), said(9000, 2));
  t.equal(await db.getRepository(QualityEntity).count(), 3);
  const [all, ...others] = await quality.now();
  t.strictSame(others, []);
  t.match(all, {
    modelId: model.id,
    variantId: variant.id,
    profile: 'x64-avx2',
    seen: { n: 300 },
    drift: { verdict: 'steady' },
  });
  t.strictSame([...all!.deviceIds].sort(), ['dev-a', 'dev-b']);
  t.match(await quality.now({ deviceId: 'dev-b' }), [{ seen: { n: 100 }, drift: { verdict: 'too-few' } }]);
  t.strictSame(await quality.now({ modelId: 'another' }), []);
});

t.test('another class on one device is drift there', async (t) => {
  await record('dev-b', at(1), said(1000, 2));
  const [one] = await quality.now({ deviceId: 'dev-b' });
  t.match(one, { drift: { verdict: 'drifted' } });
  t.ok(one!.drift.figures.find(({ name }) => name === 'classes')!.index > 1);
});

t.test('a device that tells of another output, serves something else, or was removed, is left out', async (t) => {
  await addDevice(work, 'dev-odd', { servingDigest: digest });
  await record('dev-odd', at(0), said(500, 2, 7));
  t.strictSame(await quality.now({ deviceId: 'dev-odd' }), [], 'seven classes are none of this model');
  await record('dev-odd', at(0), said(300, 1));
  t.match(await quality.now({ deviceId: 'dev-odd' }), [{ seen: { n: 300 } }], 'and it starts anew when it tells well');
  await changeDevice(work, 'dev-odd', { servingDigest: null });
  t.strictSame(await quality.now({ deviceId: 'dev-odd' }), []);
  await changeDevice(work, 'dev-b', { removedAt: work.clock.now() });
  t.strictSame(await quality.now({ deviceId: 'dev-b' }), []);
});

t.test('what is older than thirty days goes', async (t) => {
  await record('dev-a', at(24 * 31));
  const before = await db.getRepository(QualityEntity).count();
  await quality.forgetOld();
  t.equal(await db.getRepository(QualityEntity).count(), before - 1);
});
