/**
 * `npm run bench:compression -- --json`: our int8 build of six real models, in one file each, for this machine's profile;
 * a line a model and method, then a line a figure that has a bound.
 *
 *   node test/bench/compression.ts [--json | --table] [--peers VENV] [--only REGEX] [--methods REGEX] [--from FILE]
 *
 * --peers: a Python environment of ../shared/peers/compression/setup.sh. The peers' tools then quantize the same models
 * on the same samples, their lines carry "peer", and their `evaluate.py` judges all files, ours too. --only chooses
 * models; --methods which of the peers' methods run, a pattern of "peer method" ('.*' for all: hours). --table prints
 * Markdown at the end; --from takes the lines of an earlier --json run instead of measuring.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { benchArguments } from './arguments.ts';
import { buildModel } from './build-model.ts';
import { bar, barsOf } from './compression/bars.ts';
import { type Bar, type Line, ourLine, peerLine } from './compression/lines.ts';
import { judgedByPeers, type Peers, quantizedByPeers, simplifiedByPeers } from './compression/peers.ts';
import { GRAPH_WORK_MS_MAX, type Row, rows } from './compression/rows.ts';
import { barsTable, tableOf } from './compression/table.ts';
import { jsonLines, linesOf } from './program.ts';

const values = benchArguments(import.meta.filename, {
  ...{ json: { type: 'boolean' }, table: { type: 'boolean' }, peers: { type: 'string' } },
  ...{ only: { type: 'string', default: '' }, methods: { type: 'string' }, from: { type: 'string' } },
});
const root = path.join(import.meta.dirname, '..', '..');
const shared = path.join(root, '..', 'shared');
const data = path.join(shared, 'data');

const lines: Line[] = [];
const bars: Bar[] = [];

const isBar = (line: Line | Bar): line is Bar => 'limit' in line;

function plain(line: Line | Bar): string {
  if (isBar(line)) {
    return `${line.model} ${line.id}: ${line.value} ${line.unit}, ${line.met ? 'meets' : 'misses'} ${line.limit}`;
  }
  const { model, peer, method, error, top1Float, top1, sqnrDb, speedup, sizeRatio } = line;
  const what = error ?? `top-1 ${top1Float} -> ${top1}, ${sqnrDb} dB, ${speedup}x faster, ${sizeRatio}x smaller`;
  return `${model}: ${peer ?? 'espalier'} ${method}, ${what}`;
}

function tell(line: Line | Bar): void {
  if (isBar(line)) bars.push(line);
  else lines.push(line);
  if (!values.table) process.stdout.write(`${values.json ? JSON.stringify(line) : plain(line)}\n`);
}

/** One model: our build, the peers' builds, all of them before one judge. */
async function measure(row: Row, peers: Peers | null, folder: string): Promise<void> {
  const kept = path.join(folder, row.model);
  const built = await buildModel(data, row.model, '', kept);
  const found = peers && (await judgedByPeers(peers, row, path.join(kept, 'model.onnx')));
  const ours = ourLine(built, found);
  tell(ours);
  const theirs: Line[] = [];
  for (const one of peers ? await quantizedByPeers(peers, row, values.methods) : []) {
    const line = peerLine(row.model, one);
    theirs.push(line);
    tell(line);
  }
  for (const one of barsOf(row, ours, theirs)) tell(one);
  rmSync(kept, { recursive: true });
}

/** Reading, simplifying and fusing MobileNetV2, beside the peers' simplifiers. */
async function measureGraphWork(row: Row, peers: Peers | null): Promise<void> {
  const child = path.join(import.meta.dirname, 'compression', 'graph-work.ts');
  const [found] = await linesOf(process.execPath, [child, path.join(data, 'models', `${row.model}.onnx`)]);
  const { firstMs, ms } = found as { firstMs: number; ms: number };
  tell(bar(row.model, 'graph-work-first', 'ms', firstMs, GRAPH_WORK_MS_MAX));
  tell(bar(row.model, 'graph-work', 'ms', ms, GRAPH_WORK_MS_MAX));
  for (const { peer, cpu_s: seconds } of peers ? await simplifiedByPeers(peers, row) : []) {
    if (typeof seconds !== 'number') continue;
    tell(bar(row.model, `graph-work-against-${peer}`, 'share', firstMs / 1000 / Math.max(seconds, 0.01), 1));
  }
}

/** The codec on 200 MB, as `bench:codec` measures it. */
async function measureCodec(): Promise<void> {
  const child = path.join(root, 'controller', 'compression', 'test', 'bench', 'codec.ts');
  for (const { id, value, limit } of await linesOf(process.execPath, [
    child,
    '--json',
    '--runs',
    '3',
    '--only',
    '200mb',
  ])) {
    tell(bar('200 MB of weights', String(id), 'ms', Number(value), Number(limit)));
  }
}

async function main(): Promise<void> {
  if (values.from) {
    for (const line of jsonLines(readFileSync(values.from, 'utf8'))) tell(line as unknown as Line | Bar);
    return;
  }
  if (!existsSync(data)) {
    process.stderr.write(`Skipped: the models and data are not at ${data}.\n`);
    return;
  }
  const scripts = path.join(shared, 'peers', 'compression');
  const folder = mkdtempSync(path.join(os.tmpdir(), 'espalier-bench-'));
  const python = values.peers && path.join(path.resolve(values.peers), 'bin', 'python');
  if (python && !(existsSync(python) && existsSync(scripts))) {
    throw new Error(`The peers need ${python} and ${scripts}.`);
  }
  const peers: Peers | null = python ? { scripts, python, data, out: path.join(folder, 'peers') } : null;
  const wanted = rows.filter(({ model }) => new RegExp(values.only).test(model));
  try {
    for (const row of wanted) await measure(row, peers, folder);
    const [first] = wanted;
    if (first?.model === rows[0]!.model) await measureGraphWork(first, peers);
    if (!values.only) await measureCodec();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
if (values.table) process.stdout.write(`${tableOf(lines)}\n\n${barsTable(bars)}\n`);
