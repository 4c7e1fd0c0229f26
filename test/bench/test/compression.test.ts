import { test } from 'tap';
import { barsOf, nearest } from '../compression/bars.ts';
import { ourLine, peerLine } from '../compression/lines.ts';
import { rows } from '../compression/rows.ts';
import { tableOf } from '../compression/table.ts';

const built = {
  ...{ model: 'm', profile: 'p', method: 'int8', n: 5, top1Float: 80, top1: 79.5, fixed: 1, broken: 2, sqnrDb: 30 },
  ...{ speedup: 2, sizeRatio: 3.7, floatNodes: [], cpuSeconds: 9, peakRssMb: 500 },
  build: { cpuSeconds: 4, peakRssMb: 300 },
};
const judgedFile = { n: 5, top1_fp32: 80, top1: 79.6, fixed: 1, broken: 2, sqnr_db: 29, speedup: 1.9, size_ratio: 3.6 };
const peer = (method: string, top1: number, cpu: number) =>
  peerLine('m', { ...judgedFile, peer: 'tool', method, top1, cpu_s: cpu, peak_rss_mb: 700 });

test('one judge for all files, with the cost of the build alone', async (t) => {
  t.match(ourLine(built, null), { judge: 'espalier', top1: 79.5, speedup: 2, cpuSeconds: 4, peakRssMb: 300 });
  const line = ourLine(built, judgedFile);
  t.match(line, { judge: 'evaluate.py', top1: 79.6, sqnrDb: 29, cpuSeconds: 4, own: { top1: 79.5, cpuSeconds: 9 } });
  t.equal(line.peer, undefined);
  t.match(peer('a', 79, 20), { peer: 'tool', method: 'a', top1Float: 80, sqnrDb: 29, cpuSeconds: 20 });
});

test('a float build has no noise and no other speed, whatever the judge divides by', async (t) => {
  t.match(ourLine({ ...built, method: 'float' }, { ...judgedFile, sqnr_db: 180 }), { sqnrDb: null, speedup: 1 });
});

test('CPU time is held against the peer that is nearest in accuracy', async (t) => {
  const ours = ourLine(built, judgedFile);
  const failed = peerLine('m', { peer: 'tool', method: 'broken', error: 'no' });
  const peers = [failed, peer('far', 70, 1), peer('near', 79.5, 10), peer('near-slow', 79.7, 30)];
  t.equal(nearest(ours, peers)?.method, 'near');
  t.equal(nearest(ours, [failed]), null);
  const bars = barsOf(rows[0]!, ours, peers);
  t.match(
    bars.map(({ id, met }) => [id, met]),
    [
      ['speedup', false],
      ['drop', true],
      ['sqnr', true],
      ['size', true],
      ['peak-rss', true],
      ['cpu-against-tool-near', true],
    ],
  );
  t.match(tableOf([ours, failed]), /\*\*espalier int8\*\* \| 80\.00 -> 79\.60 \| 0\.40 .*\n.*failed: no/s);
});
