import path from 'node:path';
import { CodedError, errorBody } from '@espalier/proto';
import { Command } from 'commander';
import { loadConfig, type SettingName } from './common/config.js';
import { NodeTooOld } from './common/errors.js';
import { takeSupervisor } from './common/supervisor.js';
import { startController } from './controller.js';
import { playSample } from './sample/play-sample.js';
import { VERSION } from './system/system-status.js';

/** `.espalier` of the checkout, wherever the command is called from. */
const DEFAULT_DATA_DIR = path.join(import.meta.dirname, '..', '..', '..', '.espalier');
const NODE_WANTED = 22;

const say = (text: string): void => void process.stderr.write(`${text}\n`);

function program(): Command {
  return new Command('espalier-controller')
    .description('Runs the Espalier controller: web app and API, device gateway, builds, rollouts, closed loop.')
    .version(VERSION)
    .option('--empty', 'start without the sample journey')
    .option('--sample', 'play the sample journey, also on a data directory that is not empty')
    .option('--once', 'with --sample: end when the journey ends; exit code 0 only if int8 is 1.2x at 1 point or less')
    .option('--json', 'with --once: print the result as one line of JSON on stdout')
    .option('--data-dir <dir>', 'where everything is kept (ESPALIER_DATA_DIR, default .espalier in the checkout)')
    .option('--host <address>', 'address to listen on (ESPALIER_HOST, default 127.0.0.1)')
    .option('--port <port>', 'port of web app and API, 0 = any free one (ESPALIER_HTTP_PORT, default 4280)')
    .option('--config <file>', 'YAML file of settings; docs/operations.md lists them');
}

type Flags = {
  empty?: boolean;
  sample?: boolean;
  once?: boolean;
  json?: boolean;
  dataDir?: string;
  host?: string;
  port?: string;
  config?: string;
};

/** With --once other controllers on this machine are left alone: any free ports unless said otherwise. */
function portsFor(flags: Flags): Partial<Record<SettingName, unknown>> {
  const any = flags.once ? '0' : undefined;
  const { env } = process;
  const unlessSet = (variable: string): string | undefined => (env[variable] ? undefined : any);
  return {
    httpPort: flags.port ?? unlessSet('ESPALIER_HTTP_PORT'),
    grpcPort: unlessSet('ESPALIER_GRPC_PORT'),
    mqttPort: unlessSet('ESPALIER_MQTT_PORT'),
    enrolPort: unlessSet('ESPALIER_ENROL_PORT'),
  };
}

async function run(flags: Flags): Promise<void> {
  if (Number(process.versions.node.split('.')[0]) < NODE_WANTED)
    throw NodeTooOld({ found: process.versions.node, wanted: NODE_WANTED });
  const settings = {
    dataDir: flags.dataDir,
    host: flags.host,
    ...portsFor(flags),
    ...(flags.once && !process.env.ESPALIER_LOG_LEVEL ? { logLevel: 'warn' } : {}),
  };
  const config = loadConfig({
    flags: settings,
    env: process.env,
    file: flags.config ?? null,
    defaultDataDir: DEFAULT_DATA_DIR,
  });
  const notify = takeSupervisor(process.env, say);
  say(`Espalier ${VERSION} starts on ${config.dataDir} ...`);
  const controller = await startController(config);
  say(
    `\n  Web app    ${controller.url}\n  Sign in    ${controller.adminLink}\n             (works once; the next start prints a new one)\n`,
  );
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve());
  });
  notify('READY=1', `STATUS=web app at ${controller.url}`);
  void controller.failed.then(fail);
  const played = playSample(controller, flags, say);
  if (flags.once) {
    const ended = await Promise.race([played, stopped.then(() => false)]);
    await controller.close();
    process.exit(ended ? 0 : 1);
  }
  await stopped;
  notify('STOPPING=1');
  say('Stopping ...');
  await controller.close();
  process.exit(0);
}

function fail(error: unknown): never {
  const { code, message, action } = errorBody(error);
  say(`${code}: ${message}\n  ${action}`);
  if (!(error instanceof CodedError)) say(String((error as Error).stack));
  process.exit(1);
}

await run(program().parse().opts<Flags>()).catch(fail);
