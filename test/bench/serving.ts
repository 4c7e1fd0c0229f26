/**
 * `npm run bench:serving -- --json`: the agent under load, against the runtime alone and other servers; a line of
 * {"id","model","variant","value","unit","reference","n"} for each id and cell. Times mean something on an idle machine.
 *
 *   node test/bench/serving.ts [--json] [--peers DIR] [--minutes 30] [--only REGEX] [--ids REGEX]
 *
 *   --peers DIR  where setup.sh of ../shared/peers/serving has installed Triton and MLServer; without it the plain Node
 *                server is the only peer
 *   --minutes M  about how long, without the building of int8 networks
 *   --only       networks, on "model variant": mobilenetv2-1.0-224, squeezenet1.1, cifar10-resnet20, mlp; float, int8
 *   --ids        parts: throughput (goodput-0.8, goodput-0.95, goodput-1.3, peers, closed-32, memory), transport (grpc,
 *                unix-shm), swap (swap-failed, swap-late, start, choice, choice-time), start (idle), repeat (repeat,
 *                repeat-hog), runtime (ONNX Runtime against LiteRT, where ESPALIER_LITERT or its folder has that)
 *
 * Growth over a million requests and 500 swaps is measured by `npm run soak:serving`.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { root } from '../support/process.ts';
import { benchArguments } from './arguments.ts';
import { type Cell, type Line, limitOf, startCells, swapCells, throughputCells } from './serving/cells.ts';
import { type BenchModel, benchModels } from './serving/models.ts';
import { repeatCells } from './serving/repeat.ts';
import { runtimeCells } from './serving/runtimes.ts';
import { prepare, serveAgent } from './serving/tools.ts';
import { transportCells } from './serving/transport.ts';

const shared = path.join(root, '..', 'shared');
const values = benchArguments(import.meta.filename, {
  ...{ json: { type: 'boolean' }, peers: { type: 'string', default: '' }, minutes: { type: 'string', default: '30' } },
  ...{ only: { type: 'string', default: '' }, ids: { type: 'string', default: '' } },
});

const print = (line: Line): void => {
  const { id, model, variant, value, unit, reference, n } = line;
  const text = values.json
    ? JSON.stringify(line)
    : `${id}\t${model} ${variant}\t${value} ${unit}\t(${reference}; n ${n})`;
  process.stdout.write(`${text}\n`);
};
const skip = (why: string): never => {
  process.stderr.write(`Skipped: ${why}.\n`);
  process.exit(0);
};

const data = path.join(shared, 'data');
if (!existsSync(data)) skip(`the models are not at ${data}`);
const peers = { source: path.join(shared, 'peers', 'serving'), installed: path.resolve(values.peers) };
const missing = prepare(peers.source);
if (missing) skip(missing);
const ids = new RegExp(values.ids);
const wanted = new RegExp(values.only);
// Its networks are its own: with --ids '^runtime$' no others are built.
const isAlone = !['throughput', 'transport', 'swap', 'start', 'repeat'].some((name) => ids.test(name));
const models = isAlone ? [] : await benchModels(data, wanted);
if (!isAlone && models.length === 0) skip(`no model matches ${values.only}`);

// Goodput of agent and peer: 3 shares x 3 rounds each; the rest of a model's cells takes about as long again.
const seconds = Math.max(2, Math.min(8, Math.floor((Number(values.minutes) * 60) / Math.max(1, models.length) / 40)));
const rounds = 3;

/** What the network takes, as it says itself. */
async function inputOf({ file }: BenchModel): Promise<string> {
  const agent = await serveAgent(file, ['--tune-limit-s', '0'], false);
  try {
    const metadata = (await (await fetch(`${agent.url}/v2/models/m`)).json()) as { inputs: { name: string }[] };
    return metadata.inputs[0]!.name;
  } finally {
    await agent.stop();
  }
}

/** Prints what a part measures; a part that fails is told of, and the others go on. */
async function part(name: string, measure: () => Promise<Line[]>): Promise<void> {
  if (!ids.test(name)) return;
  try {
    for (const line of await measure()) print(line);
  } catch (error) {
    process.stderr.write(`${name}: ${(error as Error).stack}\n`);
    process.exitCode = 1;
  }
}

await part('start', startCells);
await part('runtime', () => runtimeCells(data, wanted, seconds));
for (const model of models) {
  const plans = mkdtempSync(path.join(os.tmpdir(), 'espalier-bench-plans-'));
  try {
    const limit = await limitOf(model, Math.min(seconds, 3));
    const input = await inputOf(model);
    const cell: Cell = { ...model, limit, sloMs: 4 * limit.batch1Ms, input, seconds, rounds, peers };
    await part('throughput', () => throughputCells(cell));
    await part('transport', () => transportCells(cell));
    await part('swap', () => swapCells(cell, plans));
  } finally {
    rmSync(plans, { recursive: true, force: true });
  }
}
const [first] = models;
if (first) await part('repeat', () => repeatCells(first, seconds, 4));
