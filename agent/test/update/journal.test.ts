/** The journal after what a device can do to it: a power cut inside a line, a disk without room, a long life. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Journal, readJournal } from '@espalier/agent/update/journal';
import type { Target } from '@espalier/proto';
import t from 'tap';

const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-journal-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
const target: Target = {
  ...{ executionId: 'exe-1', rolloutId: 'rol-1', model: 'm', modelVersion: '1', variantId: 'var-1' },
  ...{ digest: 'a'.repeat(64), sizeBytes: 10, manifest: { sha256: 'b'.repeat(64), bytes: 10 } },
};
const begin = { type: 'begin', target, profile: 'x64-avx2' } as const;

t.test('a record that the power cut is dropped, and the next one stands in its place', async (t) => {
  const file = path.join(scratch, 'torn');
  const first = new Journal(file, () => 0);
  first.append(begin);
  first.close();
  appendFileSync(file, '{"at":"1970-01-01T00:00:00.000Z","type":"enter","sta');
  t.equal(readJournal(file).execution?.state, 'ACCEPT', 'reading alone changes nothing');
  const second = new Journal(file, () => 0);
  t.equal(second.state.execution?.state, 'ACCEPT');
  second.append({ type: 'enter', state: 'DOWNLOAD' });
  second.close();
  t.equal(readJournal(file).execution?.state, 'DOWNLOAD');
});

t.test('what ended is remembered in one line', async (t) => {
  const file = path.join(scratch, 'compact');
  const journal = new Journal(file, () => 0);
  for (let n = 0; n < 300; n++) {
    journal.append({ ...begin, target: { ...target, executionId: `exe-${n}` } });
    journal.append({ type: 'commit', releaseKey: 'm/x64', releaseCounter: n });
    journal.append({ type: 'end', executionId: `exe-${n}`, outcome: 'SUCCEEDED' });
    journal.compact();
  }
  journal.close();
  t.equal(readFileSync(file, 'utf8').trim().split('\n').length, 1);
  const { ended, releases } = readJournal(file);
  t.equal(ended.get('exe-299'), 'SUCCEEDED');
  t.equal(releases.get('m/x64'), 299);
  t.ok(ended.size <= 200, 'and does not grow for ever');
});

t.test('a full disk refuses a record and keeps the journal whole', async (t) => {
  const small = path.join(scratch, 'small');
  mkdirSync(small);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small]).status !== 0) {
    t.comment('skipped: mounting a small disk needs root');
    return;
  }
  t.teardown(() => spawnSync('umount', ['-l', small]));
  const journal = new Journal(path.join(small, 'journal'), () => 0);
  journal.append(begin);
  const fill = path.join(small, 'fill');
  t.throws(() => writeFileSync(fill, Buffer.alloc(1 << 20)), { code: 'ENOSPC' });
  t.throws(
    () => {
      for (let n = 0; n < 100; n++) journal.append({ type: 'attempt', state: 'HEALTH' });
    },
    { code: 'ESP_JOURNAL_STUCK' },
  );
  const bytes = statSync(path.join(small, 'journal')).size;
  const attempts = journal.state.execution!.attempts.HEALTH;
  t.equal(readJournal(path.join(small, 'journal')).execution?.attempts.HEALTH, attempts, 'no half record is left');
  rmSync(fill);
  journal.append({ type: 'attempt', state: 'HEALTH' });
  t.equal(readJournal(path.join(small, 'journal')).execution?.attempts.HEALTH, attempts + 1, 'with room it goes on');
  t.ok(statSync(path.join(small, 'journal')).size > bytes);
  journal.close();
});
