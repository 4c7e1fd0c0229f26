/** What is measured of one network: each function gives lines. Loads are open-loop, latency from the intended arrival. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { BenchModel } from './models.ts';
import { type PeerFolders, peersFor, withPeer } from './peers.ts';
import {
  AGENT_FLAGS,
  bare,
  type Limit,
  type LoadResult,
  load,
  median,
  privateDirtyMb,
  program,
  type RunningServer,
  serve,
  serveAgent,
} from './tools.ts';

export interface Line {
  readonly id: string;
  readonly model: string;
  readonly variant: string;
  readonly value: number;
  readonly unit: string;
  /** What it is compared with, in words with the figure. */
  readonly reference: string;
  readonly n: number;
}

export interface Cell extends BenchModel {
  readonly limit: Limit;
  readonly sloMs: number;
  readonly input: string;
  /** Seconds of one run, and runs of which the median counts. */
  readonly seconds: number;
  readonly rounds: number;
  readonly peers: PeerFolders;
}

const SHARES = [0.8, 0.95, 1.3] as const;
const CHILD = path.join(import.meta.dirname, 'child.ts');
const round = (value: number): number => Math.round(value * 1000) / 1000;

/** The physical limit: the bare runtime, while the generator drives an empty server at its rate on the same machine. */
export async function limitOf({ file, shape, batches }: BenchModel, seconds: number): Promise<Limit> {
  const rough = await bare(file, shape, '1', 1);
  const stub = await serve(program('oip-stub.mjs'), [], 'http://127.0.0.1:8500/v2');
  try {
    const flags = {
      mode: 'open',
      rate: rough.ratePerS,
      shape,
      warm: 0,
      seconds: seconds * batches.split(',').length + 1,
    };
    const [limit] = await Promise.all([bare(file, shape, batches, seconds), load('http://127.0.0.1:8500', flags)]);
    return limit;
  } finally {
    await stub.stop();
  }
}

const flagsOf = ({ shape, input, sloMs, seconds }: Cell) => ({ shape, input, slo: round(sloMs), seconds, warm: 1 });

/** Medians of goodput at each share of the limit. */
async function goodput(url: string, cell: Cell, more: { readonly grpc?: boolean } = {}): Promise<number[]> {
  const found: number[] = [];
  for (const share of SHARES) {
    const runs: number[] = [];
    for (let at = 0; at < cell.rounds; at++) {
      const rate = round(cell.limit.ratePerS * share);
      const flags = { ...flagsOf(cell), ...more, mode: 'open', rate, seed: at + 1 };
      runs.push((await load(url, flags)).goodput_pct ?? 0);
    }
    found.push(median(runs));
  }
  return found;
}

export async function throughputCells(cell: Cell): Promise<Line[]> {
  const { file, model, variant, limit, sloMs, rounds } = cell;
  const base = { model, variant, n: rounds };
  const at = `limit ${limit.ratePerS.toFixed(0)}/s, SLO ${sloMs.toFixed(1)} ms`;
  const plans = mkdtempSync(path.join(os.tmpdir(), 'espalier-bench-plans-'));
  const agent = await serveAgent(file, ['--latency-limit-ms', String(sloMs), '--plans', plans], true);
  const lines: Line[] = [];
  let mine: number[];
  try {
    mine = await goodput(agent.url, cell);
    for (const [index, share] of SHARES.entries())
      lines.push({ ...base, id: `goodput-${share}`, value: mine[index]!, unit: '%', reference: at });
    await agent.stop();
    const unlimited = await serveAgent(file, ['--plans', plans], true);
    const closed = await load(unlimited.url, { ...flagsOf(cell), mode: 'closed', conc: 32 });
    const dirtyMb = privateDirtyMb(unlimited.child.pid);
    await unlimited.stop();
    lines.push({
      ...base,
      n: closed.n,
      id: 'closed-32',
      value: round(closed.throughput_s / limit.ratePerS),
      unit: 'of the limit',
      reference: at,
    });
    lines.push(...(await peerLines(cell, mine, dirtyMb)));
    return lines;
  } finally {
    await agent.stop();
    rmSync(plans, { recursive: true, force: true });
  }
}

/** The lead over the best peer at its worst share of the limit, and memory beside the plain server's after the same loads. */
async function peerLines(cell: Cell, mine: readonly number[], dirtyMb: number): Promise<Line[]> {
  const { file, model, variant, shape, rounds } = cell;
  const found: { readonly name: string; readonly theirs: readonly number[] }[] = [];
  let naiveMb = Number.NaN;
  for (const peer of peersFor(file, cell.peers)) {
    const theirs = await withPeer(peer, shape, async (pid) => {
      const reached = await goodput(peer.url, cell, peer.grpc ? { grpc: true } : {});
      if (!Number.isNaN(naiveMb)) return reached;
      await load(peer.url, { ...flagsOf(cell), mode: 'closed', conc: 32 });
      naiveMb = privateDirtyMb(pid);
      return reached;
    });
    found.push({ name: peer.name, theirs });
  }
  const leads = mine.map((value, at) => value - Math.max(...found.map(({ theirs }) => theirs[at]!)));
  const base = { model, variant };
  return [
    {
      ...{ ...base, id: 'peers', value: round(Math.min(...leads)), unit: 'points', n: rounds },
      reference: found.map(({ name, theirs }) => `${name} ${theirs.join(' / ')} %`).join(', '),
    },
    {
      ...{ ...base, id: 'memory', value: round(dirtyMb - naiveMb), unit: 'MB', n: 1 },
      reference: `naive ${naiveMb.toFixed(0)} MB private dirty`,
    },
  ];
}

/** Late, of so many; a request that failed is late too. */
const lateOf = ({ goodput_pct = 0, n }: LoadResult): number => ((100 - goodput_pct) / 100) * n;

interface Sweep {
  readonly chosen: number;
  readonly best: number;
  readonly setups: number;
  readonly spread: number;
}

/**
 * Swaps under 0.8 of the limit. Windows with a swap and windows without take turns with the same arrivals, so that what the
 * machine makes late anyway is the same in both; what is late because of a swap is the difference, and its spread is told.
 */
async function swapLines(server: RunningServer, cell: Cell): Promise<Line[]> {
  const { model, variant, limit, sloMs, rounds } = cell;
  const flags = { ...flagsOf(cell), mode: 'open', rate: round(0.8 * limit.ratePerS) };
  const differences: number[] = [];
  let [failed, n, calmLate] = [0, 0, 0];
  for (let at = 0; at < rounds; at++) {
    const calm = await load(server.url, { ...flags, seed: at + 1 });
    const [busy] = await Promise.all([load(server.url, { ...flags, seed: at + 1 }), server.ask('swap')]);
    differences.push(lateOf(busy) - lateOf(calm));
    calmLate += lateOf(calm);
    failed += busy.n - busy.ok - busy.shed;
    n += busy.n;
  }
  const spread = Math.max(...differences) - Math.min(...differences);
  const reference = `${rounds} swaps, SLO ${sloMs.toFixed(1)} ms, ${calmLate.toFixed(0)} of ${n} late without swaps, differences within ${spread.toFixed(0)}`;
  const base = { model, variant, unit: 'requests', reference, n };
  return [
    { ...base, id: 'swap-failed', value: failed },
    { ...base, id: 'swap-late', value: Math.round(median(differences)), unit: 'requests a swap' },
  ];
}

/** Swaps, the choice of a plan against all there are, and a start with the weights laid out before. */
export async function swapCells(cell: Cell, plans: string): Promise<Line[]> {
  const { file, model, variant } = cell;
  const server = await serve(CHILD, [file, plans], /gRPC at/, { channel: true, flags: AGENT_FLAGS });
  try {
    const { plan, ms } = await server.ask<{ plan: object | null; ms: number }>('tuned');
    const lines = await swapLines(server, cell);
    const opened = await server.ask<{ packed: number; plain: number; n: number }>('start');
    const { chosen, best, setups, spread } = await server.ask<Sweep>('sweep');
    const share = best - chosen <= spread ? Math.max(1, chosen / best) : chosen / best;
    const base = { model, variant };
    return [
      ...lines,
      {
        ...{ ...base, id: 'start', value: round(opened.packed / opened.plain), unit: 'of un-prepacked', n: opened.n },
        reference: `open to ready, medians: ${opened.packed.toFixed(0)} against ${opened.plain.toFixed(0)} ms`,
      },
      {
        ...{ ...base, id: 'choice', value: round(share), unit: 'of the best', n: 5 },
        reference: `${setups} setups, ${JSON.stringify(plan)}`,
      },
      { ...base, id: 'choice-time', value: round(ms / 1000), unit: 's', reference: 'bar 60 s', n: 1 },
    ];
  } finally {
    await server.stop();
  }
}

export async function startCells(): Promise<Line[]> {
  const server = await serve(path.join(import.meta.dirname, 'idle.mjs'), [], /gRPC at/, { flags: AGENT_FLAGS });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const value = rssMb(server);
  await server.stop();
  return [{ id: 'idle', model: '-', variant: '-', value, unit: 'MB RSS', reference: 'bar 85 MB', n: 1 }];
}

const rssMb = ({ child }: RunningServer): number => {
  const pages = Number(readFileSync(`/proc/${child.pid}/statm`, 'utf8').split(' ')[1]);
  return round((pages * 4096) / 1e6);
};
