/** The sketch of live answers: of classifiers only, bounded in work and memory, and gone once it was told. */
import { LiveQuality } from '@espalier/agent/measure/live-quality';
import t from 'tap';

const output = (shape: (number | string)[], type = 'float32') => [{ name: 'scores', type, shape }];
const answer = (rows: number[][], offset = 0) => {
  const floats = Float32Array.from(rows.flat());
  const memory = new Uint8Array(floats.byteLength + offset);
  memory.set(new Uint8Array(floats.buffer), offset);
  return { scores: { type: 'float32', shape: [rows.length, rows[0]!.length], bytes: memory.subarray(offset) } };
};

t.test('only a row of float scores a sample is a classifier', async (t) => {
  for (const shape of [
    ['N', 4],
    [1, 10],
  ])
    t.ok(LiveQuality.of(output(shape)), `${shape}`);
  for (const shape of [
    ['N', 1],
    ['N', 'classes'],
    ['N', 3, 8, 8],
    ['N', 5000],
  ])
    t.notOk(LiveQuality.of(output(shape)), `${shape}`);
  t.notOk(LiveQuality.of(output(['N', 4], 'int64')));
  t.notOk(LiveQuality.of([]));
});

t.test('every row of an answer counts, wherever it lies in memory; what was taken is gone', async (t) => {
  const live = LiveQuality.of(output(['N', 3]))!;
  live.see(
    answer([
      [9, 0, 0],
      [0, 9, 0],
    ]),
    0,
  );
  live.see(answer([[0, 9, 0]], 1), 1);
  live.see({ other: { type: 'float32', shape: [1, 3], bytes: new Uint8Array(12) } }, 2);
  t.match(live.take(), {
    n: 3,
    width: 3,
    classes: [
      [1, 2],
      [0, 1],
    ],
    others: 0,
  });
  t.equal(live.take(), null);
});

t.test('of a flood, two hundred rows a second are looked at', async (t) => {
  const live = LiveQuality.of(output(['N', 3]))!;
  const rows = answer(Array.from({ length: 64 }, () => [1, 2, 3]));
  for (let ms = 0; ms < 2000; ms += 10) live.see(rows, ms);
  t.equal(live.take()!.n, 400);
});
