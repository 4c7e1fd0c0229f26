import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { freePort } from './ports.ts';
import { findProgram, type Server, ServerProgram } from './server-program.ts';

const source = path.join(import.meta.dirname, '..', '..', 'deploy', 'mosquitto');

/** The TLS files of the broker, below `keys/` of a controller's data directory. */
const TLS_FILES = ['ca.crt', 'server.crt', 'server.key'] as const;

/**
 * A real Mosquitto with deploy/mosquitto/espalier.conf, on a free port of 127.0.0.1, trusting the certificate authority
 * of the controller whose data directory is given. That controller makes its keys at its first start and gets the
 * broker's address for that same start, so the address is known at once and the broker comes up when the keys exist:
 * to the controller it looks like a broker that is restarted late.
 */
export async function startMosquitto(dataDir: string): Promise<Server> {
  const program = findProgram('mosquitto');
  if (!program) return { skipped: 'Mosquitto is not installed (Debian package mosquitto)' };
  const folder = mkdtempSync(path.join(os.tmpdir(), 'espalier-mosquitto-'));
  const port = await freePort();
  const stopping = new AbortController();
  const broker = startWhenKeysExist(program, { dataDir, folder, port, signal: stopping.signal });
  // A failure is reported by stop(); until then nobody waits for this promise.
  broker.catch(() => undefined);
  return {
    url: `mqtts://127.0.0.1:${port}`,
    async stop() {
      stopping.abort();
      try {
        await (await broker)?.stop('SIGTERM');
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

interface Place {
  readonly dataDir: string;
  readonly folder: string;
  readonly port: number;
  readonly signal: AbortSignal;
}

async function startWhenKeysExist(program: string, place: Place): Promise<ServerProgram | null> {
  const keys = path.join(place.dataDir, 'keys');
  while (!TLS_FILES.every((file) => existsSync(path.join(keys, file)))) {
    if (place.signal.aborted) return null;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const server = new ServerProgram(program, ['-c', configure(keys, place)]);
  await server.untilReady(() => listens(place.port));
  return server;
}

/** Lays out a configuration as on Debian: a main file that includes ours, with only paths and the port replaced. */
function configure(keys: string, { folder, port }: Place): string {
  const included = path.join(folder, 'conf.d');
  const installed = path.join(folder, 'espalier');
  for (const made of [included, installed]) mkdirSync(made);
  for (const file of TLS_FILES) copyFileSync(path.join(keys, file), path.join(installed, file));
  copyFileSync(path.join(source, 'espalier.acl'), path.join(installed, 'espalier.acl'));
  const ours = readFileSync(path.join(source, 'espalier.conf'), 'utf8')
    .replaceAll('/etc/mosquitto/espalier', installed)
    .replace(/^listener .*$/m, `listener ${port} 127.0.0.1`);
  writeFileSync(path.join(included, 'espalier.conf'), ours);

  const main = path.join(folder, 'mosquitto.conf');
  // Without `user`, a broker started by root becomes user "mosquitto", who cannot read a private temporary folder.
  const lines = [`user ${os.userInfo().username}`, 'persistence true', `persistence_location ${folder}/`];
  writeFileSync(main, [...lines, `include_dir ${included}`, ''].join('\n'));
  return main;
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const done = (open: boolean): void => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => done(true)).once('error', () => done(false));
  });
