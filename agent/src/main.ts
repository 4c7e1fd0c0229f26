/** Command line of the agent, and its composition root. */
import { homedir, hostname } from 'node:os';
import path from 'node:path';
import { CodedError, SessionOptions } from '@espalier/proto';
import { Command, Option } from 'commander';
import { Agent } from './agent.js';
import { makeLog } from './common/log.js';
import { makeNotifier } from './common/notify.js';
import { AgentConfig, DEFAULT_DATA_DIR, loadConfig } from './config.js';
import { AlreadyEnrolled, NotEnrolled } from './errors.js';
import { readFacts } from './hardware/facts.js';
import { enrol, refreshAddresses } from './link/enrol.js';
import { loadIdentity, saveIdentity } from './link/identity.js';
import { bench, headLine, lineOf, parseScenarios } from './measure/bench/command.js';
import { benchRuntimes, refuseXnnpack, runtimeLine } from './measure/bench/runtimes.js';
import { SCENARIOS } from './measure/bench/scenarios.js';
import { benchTensorRt, tensorRtLine } from './measure/bench/tensorrt.js';
import { SampleBox } from './measure/sampling/sample-box.js';
import { PreparedModels } from './runtime/prepared.js';
import { modelFile } from './runtime/staged/staged-file.js';
import { openEndpoints } from './serve/endpoints.js';
import { keepMemory } from './serve/memory-keeper.js';
import { makeMetrics } from './serve/metrics.js';
import { Serving } from './serve/serving.js';
import { endpointSettings, makeTuner, poolSettings } from './serve/settings.js';
import { SharedMemory } from './serve/shared-memory.js';
import { Store } from './store/store.js';
import { readJournal } from './update/journal.js';
import { AGENT_VERSION } from './version.js';

/** Aborts on SIGTERM or SIGINT. A second signal changes nothing: the journal is in order at every moment. */
function untilSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stop.abort());
  return stop.signal;
}

const print = (value: unknown): void =>
  void process.stdout.write(`${typeof value === 'string' ? value : JSON.stringify(value, null, 2)}\n`);
const dataDirOf = (given?: string): string =>
  path.resolve(given ?? process.env.ESPALIER_AGENT_DATA ?? DEFAULT_DATA_DIR);

async function enrolCommand(
  url: string,
  { token, data, name, force }: { token: string; data?: string; name?: string; force?: boolean },
): Promise<void> {
  const dataDir = dataDirOf(data);
  try {
    if (!force) throw AlreadyEnrolled({ path: dataDir, deviceId: loadIdentity(dataDir).deviceId });
  } catch (error) {
    if (!NotEnrolled.is(error)) throw error;
  }
  const identity = await enrol(url, token, { ...readFacts(), hostname: name ?? hostname() });
  saveIdentity(dataDir, identity);
  print(`Enrolled as ${identity.deviceId}. Start the agent: espalier-agent run${data ? ` --data ${data}` : ''}`);
}

async function runCommand(flags: Record<string, unknown>): Promise<void> {
  const { data, config: file, controller, ...rest } = flags;
  const config = await loadConfig({ ...rest, dataDir: data }, process.env, file as string | undefined);
  const log = makeLog(config.logLevel);
  if (controller)
    saveIdentity(config.dataDir, await refreshAddresses(loadIdentity(config.dataDir), String(controller)));
  await new Agent(config, log, makeNotifier(process.env, log)).run(untilSignal());
}

interface ServeFlags extends Record<string, unknown> {
  readonly name?: string;
  readonly plans?: string;
}

const STOP_MS = 5000;

const cacheDir = (): string =>
  path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'espalier-agent', 'plans');

async function serveCommand(file: string, { name, plans, ...settings }: ServeFlags): Promise<void> {
  const config = AgentConfig.parse(settings);
  const log = makeLog(config.logLevel);
  const { cpu } = readFacts();
  const folder = plans ?? cacheDir();
  const prepared = new PreparedModels(path.join(folder, 'prepared'), cpu);
  const serving = new Serving(poolSettings(config), makeTuner(config, folder, cpu, log), { log, prepared });
  const served = await serving.swapToFile(path.resolve(modelFile(file)), name ?? path.basename(file, '.onnx'));
  const parts = { serving, metrics: makeMetrics(serving, () => 0), memory: new SharedMemory(), log };
  const http = { ...parts, maxBodyBytes: config.maxBodyBytes, now: () => performance.now() };
  const endpoints = await openEndpoints(http, endpointSettings(config));
  const { port, grpcPort } = endpoints;
  print(`Serving ${served.name} at http://${config.host}:${port}/v2/models/${encodeURIComponent(served.name)}`);
  print(`gRPC at ${config.host}:${grpcPort}`);
  const forget = keepMemory(serving, log, http.now);
  const signal = untilSignal();
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  forget();
  await endpoints.close(STOP_MS);
  await serving.close();
}

interface BenchFlags extends Record<string, unknown> {
  readonly plans?: string;
  readonly json?: boolean;
  readonly seconds: string;
  readonly scenarios: string;
  readonly runtime: string;
}

async function benchCommand(
  file: string,
  { plans, json, seconds, scenarios, runtime, ...settings }: BenchFlags,
): Promise<void> {
  if (runtime === 'tensorrt') {
    const engines = path.join(plans ?? cacheDir(), 'engines');
    const result = await benchTensorRt(path.resolve(file), engines, Number(seconds));
    return print(json ? JSON.stringify(result) : tensorRtLine(result));
  }
  if (runtime === 'xnnpack') return refuseXnnpack();
  if (runtime === 'litert') {
    const { results, ratio } = await benchRuntimes(path.resolve(file), Number(seconds));
    for (const result of results) print(json ? JSON.stringify(result) : runtimeLine(result));
    if (ratio !== null) print(json ? JSON.stringify({ ratio }) : `onnxruntime / litert: ${ratio.toFixed(2)}`);
    return;
  }
  const config = AgentConfig.parse({ logLevel: 'error', ...settings });
  const { cpu } = readFacts();
  const request = {
    ...{ file: path.resolve(modelFile(file)), options: SessionOptions.parse({}), settings: poolSettings(config) },
    tuner: makeTuner({ ...config, latencyLimitMs: undefined }, plans ?? cacheDir(), cpu, makeLog(config.logLevel)),
    ...{ scenarios: parseScenarios(scenarios), forMs: Number(seconds) * 1000 },
  };
  await bench(
    request,
    (head) => print(json ? JSON.stringify(head) : headLine(head)),
    (result) => print(json ? JSON.stringify(result) : lineOf(result)),
  );
}

function statusCommand({ data }: { data?: string }): void {
  const dataDir = dataDirOf(data);
  const { deviceId, controllerUrl } = loadIdentity(dataDir);
  const store = new Store(path.join(dataDir, 'store'));
  const { execution, ended } = readJournal(path.join(dataDir, 'journal'));
  print({
    ...{ deviceId, controllerUrl, current: store.read('current'), previous: store.read('previous') },
    update: execution && {
      executionId: execution.target.executionId,
      state: execution.state,
      digest: execution.target.digest,
    },
    ended: Object.fromEntries([...ended].slice(-5)),
    /** Inputs that are kept for the controller's people to label. */
    samplesHeld: new SampleBox(path.join(dataDir, 'samples'), 0).list().length,
  });
}

function program(): Command {
  const command = new Command('espalier-agent')
    .description('Pulls the build of a model that fits this device, serves it, measures it, and reports.')
    .version(AGENT_VERSION);
  command
    .command('enrol <url>')
    .description('enrol this device with a controller (the web UI shows URL and token under Devices)')
    .requiredOption('--token <token>', 'single-use enrolment token')
    .option('--data <dir>', `data directory (default ${DEFAULT_DATA_DIR}, or ESPALIER_AGENT_DATA)`)
    .option('--name <name>', 'name shown in the fleet (default: the host name)')
    .option('--force', 'replace an identity that is there already')
    .action(enrolCommand);
  command
    .command('run')
    .description('run the agent of an enrolled device')
    .option('--data <dir>', `data directory (default ${DEFAULT_DATA_DIR}, or ESPALIER_AGENT_DATA)`)
    .option('--host <address>', 'address to serve on (default 127.0.0.1)')
    .option('--port <port>', 'port to serve on, 0 = any free one (default 4290)')
    .option('--controller <url>', 'address of the controller, when it moved since enrolment')
    .option('--config <file>', 'configuration file (default /etc/espalier/agent.yaml)')
    .option('--log-level <level>', 'debug, info, warn or error (default info)')
    .action(runCommand);
  command
    .command('serve <file>')
    .description('serve one local model without a controller: an ONNX file, or a folder of stages')
    .option('--name <name>', 'model name (default: the file name)')
    .option('--port <port>', 'port, 0 = any free one', '4290')
    .option('--host <address>', 'address', '127.0.0.1')
    .option('--grpc-port <port>', 'port of gRPC, 0 = any free one (default: the one after --port)')
    .option('--socket <file>', 'serve HTTP on this Unix socket too')
    .option('--grpc-socket <file>', 'serve gRPC on this Unix socket too')
    .option('--latency-limit-ms <ms>', 'milliseconds in which a request is to be answered, or refused')
    .option('--tune-limit-s <s>', 'seconds to search the best way to run the model, 0 = not at all (default 60)')
    .option('--plans <dir>', 'where plans that were found are kept (default: the user cache)')
    .option('--log-level <level>', 'debug, info, warn or error', 'warn')
    .action(serveCommand);
  command
    .command('bench <file>')
    .description("measure an ONNX model on this device in MLPerf's scenarios")
    .option('--scenarios <list>', 'some of single-stream,multi-stream,offline,server', SCENARIOS.join(','))
    .option('--seconds <s>', 'seconds for each scenario', '10')
    .addOption(
      new Option(
        '--runtime <name>',
        'litert: the .tflite of that name, in turns with the .onnx beside it; tensorrt: an engine built and timed by trtexec; both single-stream only',
      )
        .choices(['agent', 'litert', 'tensorrt', 'xnnpack'])
        .default('agent'),
    )
    .option('--latency-limit-ms <ms>', 'what the server scenario keeps (default: 4 times one inference)')
    .option('--tune-limit-s <s>', 'seconds to search the best way to run the model, 0 = not at all (default 60)')
    .option('--plans <dir>', 'where plans that were found are kept (default: the user cache)')
    .option('--json', 'one JSON object a line: the model with its cold start, then the scenarios')
    .action(benchCommand);
  command
    .command('facts')
    .description('print what the agent knows about this machine, as JSON')
    .option('--root <dir>', 'read below this folder instead of /', '/')
    .action(({ root }: { root: string }) => print(readFacts(root)));
  command
    .command('status')
    .description('print what this device serves and where its update stands, as JSON')
    .option('--data <dir>', `data directory (default ${DEFAULT_DATA_DIR}, or ESPALIER_AGENT_DATA)`)
    .action(statusCommand);
  return command;
}

try {
  await program().parseAsync();
} catch (error) {
  const coded = error instanceof CodedError ? error : null;
  process.stderr.write(coded ? `${coded.code}: ${coded.message}\n  ${coded.action}\n` : `${(error as Error).stack}\n`);
  process.exitCode = 1;
}
