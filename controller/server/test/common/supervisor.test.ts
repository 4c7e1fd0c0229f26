/** A service tells its supervisor what it says, and hands the way to do so to nobody. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { takeSupervisor } from '@espalier/server/common/supervisor';
import t from 'tap';
import { scratchFolder } from '../support/controller.ts';
import { poll } from '../support/device.ts';

const folder = scratchFolder(t);
const said = path.join(folder, 'said');
writeFileSync(path.join(folder, 'systemd-notify'), `#!/bin/sh\necho "$NOTIFY_SOCKET" "$@" >> ${said}\n`, {
  mode: 0o755,
});
const fail = (text: string): void => {
  t.fail(text);
};
const read = (): string => {
  try {
    return readFileSync(said, 'utf8');
  } catch {
    return '';
  }
};

t.test('in a unit the helper gets the socket and the assignments, children of the service do not', async (t) => {
  const env: NodeJS.ProcessEnv = { PATH: `${folder}:${process.env.PATH}`, NOTIFY_SOCKET: '/run/socket' };
  const notify = takeSupervisor(env, fail);
  t.notOk('NOTIFY_SOCKET' in env);
  notify('READY=1', 'STATUS=all is well');
  t.equal(await poll(() => read() || null, 'the helper'), '/run/socket READY=1 STATUS=all is well\n');
});

t.test('where the helper is not installed, the service says so and goes on', async (t) => {
  const warnings: string[] = [];
  takeSupervisor({ PATH: path.join(folder, 'none'), NOTIFY_SOCKET: '/run/socket' }, (text) => warnings.push(text))(
    'A=1',
  );
  t.match(await poll(() => warnings[0] ?? null, 'the warning'), /systemd-notify did not start/);
});

t.test('outside of a unit nothing is started', async () => {
  takeSupervisor({ PATH: path.join(folder, 'none') }, fail)('READY=1');
});
