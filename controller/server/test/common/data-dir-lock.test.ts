/** One controller on a data directory: a living holder is named, a dead one is no obstacle. */
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { lockDataDir } from '@espalier/server/common/data-dir-lock';
import t from 'tap';
import { scratchFolder } from '../support/controller.ts';

const lockOf = (dataDir: string): string => path.join(dataDir, 'controller.lock');

t.test('the second is refused and told who holds it; after the release it gets in', async (t) => {
  const dataDir = path.join(scratchFolder(t), 'made by it');
  const release = lockDataDir(dataDir);
  t.throws(() => lockDataDir(dataDir), { code: 'ESP_DATA_DIR_LOCKED', details: { pid: process.pid } });
  release();
  t.notOk(existsSync(lockOf(dataDir)));
  lockDataDir(dataDir)();
});

for (const [name, holder] of [
  ['a process that is gone', { pid: 2 ** 22 + 1, ticks: '1', since: 'long ago' }],
  ['a process whose number another one has now', { pid: process.pid, ticks: '1', since: 'long ago' }],
] as const) {
  t.test(`the lock of ${name} is taken over`, async (t) => {
    const dataDir = scratchFolder(t);
    writeFileSync(lockOf(dataDir), JSON.stringify(holder));
    lockDataDir(dataDir)();
  });
}

t.test('a lock file that a power cut left half written is taken over', async (t) => {
  const dataDir = scratchFolder(t);
  writeFileSync(lockOf(dataDir), '{"pid":');
  lockDataDir(dataDir)();
});

t.test('a place where no directory can be is named', async (t) => {
  const file = path.join(scratchFolder(t), 'file');
  writeFileSync(file, '');
  t.throws(() => lockDataDir(path.join(file, 'data')), { code: 'ESP_DATA_DIR_UNUSABLE' });
});
