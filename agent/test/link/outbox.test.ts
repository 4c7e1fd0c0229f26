import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { silent } from '@espalier/agent/common/log';
import { Outbox } from '@espalier/agent/link/outbox';
import t from 'tap';

const folder = mkdtempSync(path.join(os.tmpdir(), 'espalier-outbox-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

t.test('a message stays, over restarts and in order, until the controller has it', async (t) => {
  const first = new Outbox(folder, silent);
  first.add('serving', { n: 1 });
  first.add('measurement', { n: 2 });
  const ids = first.pending().map(({ id }) => id);
  const second = new Outbox(folder, silent);
  t.strictSame(
    second.pending().map(({ id }) => id),
    ids,
    'after a restart they are there, in order',
  );
  second.acknowledge([ids[0]!, 'not one of ours']);
  second.add('facts', { n: 3 });
  t.strictSame(
    new Outbox(folder, silent).pending().map(({ kind }) => kind),
    ['measurement', 'facts'],
  );
});
