import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

t.test('a file that the disk has spoiled does not stop the agent, nor lose the others', async (t) => {
  const spoiled = mkdtempSync(path.join(os.tmpdir(), 'espalier-outbox-'));
  t.teardown(() => rmSync(spoiled, { recursive: true, force: true }));
  new Outbox(spoiled, silent).add('serving', { n: 1 });
  writeFileSync(path.join(spoiled, '000000000009-spoiled.json'), '\0\0\0');
  const again = new Outbox(spoiled, silent);
  t.strictSame(
    again.pending().map(({ kind }) => kind),
    ['serving'],
  );
  again.add('serving', { n: 2 });
  t.equal(new Outbox(spoiled, silent).length, 2);
});
