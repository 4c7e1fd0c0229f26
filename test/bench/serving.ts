/**
 * `npm run bench:serving -- --json`: the agent under load, against the runtime alone and a plain Node server.
 *
 *   node test/bench/serving.ts [--json] [--peers DIR] [--minutes M] [--only REGEX] [--ids REGEX]
 *
 * --peers: the load generator and its programs (by default ../shared/peers/serving, when it is there). --minutes bounds the
 * length of the runs, not the building of int8 networks. --only chooses on "model variant", --ids among throughput (with
 * peers, closed-32 and memory), transport (grpc, unix-shm), swap (with choice and the prepacked start), start (idle memory)
 * and repeat.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../support/process.ts';
import { type Cell, type Line, limitOf, startCells, swapCells, throughputCells } from './serving/cells.ts';
import { type BenchModel, benchModels } from './serving/models.ts';
import { repeatCells } from './serving/repeat.ts';
import { prepare, serveAgent } from './serving/tools.ts';
import { transportCells } from './serving/transport.ts';

const shared = path.join(root, '..', 'shared');
const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    peers: { type: 'string', default: path.join(shared, 'peers', 'serving') },
    minutes: { type: 'string', default: '30' },
    only: { type: 'string', default: '' },
    ids: { type: 'string', default: '' },
  },
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
const missing = prepare(path.resolve(values.peers));
if (missing) skip(missing);
const ids = new RegExp(values.ids);
const models = await benchModels(data, new RegExp(values.only));
if (models.length === 0) skip(`no model matches ${values.only}`);

// Goodput of agent and peer: 3 shares x 3 rounds each; the rest of a model's cells takes about as long again.
const seconds = Math.max(2, Math.min(8, Math.floor((Number(values.minutes) * 60) / models.length / 40)));
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

if (ids.test('start')) for (const line of await startCells()) print(line);
for (const model of models) {
  const plans = mkdtempSync(path.join(os.tmpdir(), 'espalier-bench-plans-'));
  try {
    const limit = await limitOf(model, Math.min(seconds, 3));
    const cell: Cell = { ...model, limit, sloMs: 4 * limit.batch1Ms, input: await inputOf(model), seconds, rounds };
    if (ids.test('throughput')) for (const line of await throughputCells(cell)) print(line);
    if (ids.test('transport')) for (const line of await transportCells(cell)) print(line);
    if (ids.test('swap')) for (const line of await swapCells(cell, plans)) print(line);
  } finally {
    rmSync(plans, { recursive: true, force: true });
  }
}
const [first] = models;
if (ids.test('repeat') && first) for (const line of await repeatCells(first, seconds, 4)) print(line);
