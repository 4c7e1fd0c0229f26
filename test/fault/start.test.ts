/** What can go wrong at start ends with a code, a cause and a remedy, and destroys nothing. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { freePorts } from '../support/journey.ts';
import { start } from '../support/process.ts';

const CONTROLLER = 'controller/server/bin/espalier-controller.mjs';
const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-start-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
const LINK = /http:\/\/[\d.]+:\d+\/sign-in\?link=\S+/;

t.test('a second controller on the same data directory is refused, and the first goes on', async (t) => {
  const dataDir = path.join(scratch, 'twice');
  const first = start(CONTROLLER, ['--empty', '--data-dir', dataDir], freePorts);
  t.teardown(() => first.stop());
  const [link] = await first.waitFor(LINK);
  const second = start(CONTROLLER, ['--empty', '--data-dir', dataDir], freePorts);
  t.not(await second.exited, 0);
  t.match(second.output(), /ESP_DATA_DIR_LOCKED/);
  const { pid } = JSON.parse(readFileSync(path.join(dataDir, 'controller.lock'), 'utf8')) as { pid: number };
  t.match(second.output(), `process ${pid}`, 'it names the process that holds it');
  t.equal((await fetch(new URL('/health', link))).status, 200, 'the first still answers');
});

t.test('a taken port is named', async (t) => {
  const holder = net.createServer().listen(0, '127.0.0.1');
  t.teardown(() => holder.close());
  await new Promise((resolve) => holder.once('listening', resolve));
  const { port } = holder.address() as net.AddressInfo;
  const controller = start(CONTROLLER, ['--empty', '--data-dir', path.join(scratch, 'port')], {
    ...freePorts,
    ESPALIER_HTTP_PORT: String(port),
  });
  t.not(await controller.exited, 0);
  t.match(controller.output(), new RegExp(`ESP_PORT_TAKEN.*${port}`, 's'));
});

t.test('a configuration that is wrong names the setting', async (t) => {
  const controller = start(CONTROLLER, ['--empty', '--data-dir', path.join(scratch, 'config')], {
    ...freePorts,
    ESPALIER_HTTP_PORT: 'eighty',
  });
  t.not(await controller.exited, 0);
  t.match(controller.output(), /ESP_CONFIG_INVALID/);
  t.match(controller.output(), /port/i);
});

t.test('a full disk is said, with what to free', async (t) => {
  const mounted = path.join(scratch, 'small');
  spawnSync('mkdir', ['-p', mounted]);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', mounted]).status !== 0) {
    t.comment('skipped: mounting a small disk needs root');
    return;
  }
  t.teardown(() => spawnSync('umount', ['-l', mounted]));
  const controller = start(CONTROLLER, ['--empty', '--data-dir', path.join(mounted, 'data')], freePorts);
  t.not(await controller.exited, 0);
  t.match(controller.output(), /ESP_DISK_FULL/);
});

t.test('Ctrl-C ends everything, and the state is there at the next start', async (t) => {
  const dataDir = path.join(scratch, 'again');
  const first = start(CONTROLLER, ['--empty', '--data-dir', dataDir], freePorts);
  const link = new URL((await first.waitFor(LINK))[0]);
  const signIn = await fetch(new URL('/api/v1/session', link), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ link: link.searchParams.get('link') }),
  });
  t.equal(signIn.status, 201, 'the one-time link signs in');
  const cookie = signIn.headers.get('set-cookie')?.split(';')[0] ?? '';
  t.equal(await first.stop('SIGINT'), 0, 'it ends cleanly');

  const second = start(CONTROLLER, ['--empty', '--data-dir', dataDir], freePorts);
  t.teardown(() => second.stop());
  const [again] = await second.waitFor(/http:\/\/[\d.]+:\d+/);
  const session = await fetch(new URL('/api/v1/session', again), { headers: { cookie } });
  t.equal(session.status, 200, 'the session survived the restart');
});
