/** What is measured of one network: each function gives lines. Loads are open-loop, latency from the intended arrival. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { BenchModel } from './models.ts';
import {
  AGENT_FLAGS,
  bare,
  type Limit,
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
async function goodput(server: RunningServer, cell: Cell): Promise<number[]> {
  const found: number[] = [];
  for (const share of SHARES) {
    const runs: number[] = [];
    for (let at = 0; at < cell.rounds; at++) {
      const rate = round(cell.limit.ratePerS * share);
      runs.push((await load(server.url, { ...flagsOf(cell), mode: 'open', rate, seed: at + 1 })).goodput_pct ?? 0);
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
    mine = await goodput(agent, cell);
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
    const naive = await serve(program('naive.mjs'), ['--model', file, '--port', '8300'], 'http://127.0.0.1:8300/');
    const theirs = await goodput(naive, cell);
    await load(naive.url, { ...flagsOf(cell), mode: 'closed', conc: 32 });
    const naiveMb = privateDirtyMb(naive.child.pid);
    await naive.stop();
    const lead = Math.min(...mine.map((value, index) => value - theirs[index]!));
    lines.push({
      ...base,
      id: 'peers',
      value: round(lead),
      unit: 'points',
      reference: `naive Node server ${theirs.join(' / ')} %`,
    });
    lines.push({
      ...base,
      n: 1,
      id: 'memory',
      value: round(dirtyMb - naiveMb),
      unit: 'MB',
      reference: `naive ${naiveMb.toFixed(0)} MB private dirty`,
    });
    return lines;
  } finally {
    await agent.stop();
    rmSync(plans, { recursive: true, force: true });
  }
}

/** Swaps one after another under 0.8 of the limit; what failed, and what was late more than without swaps. */
export async function swapCells(cell: Cell, plans: string): Promise<Line[]> {
  const { file, model, variant, limit, sloMs } = cell;
  const server = await serve(CHILD, [file, plans], /gRPC at/, { channel: true });
  try {
    const { plan, ms } = await server.ask<{ plan: object | null; ms: number }>('tuned');
    const flags = { ...flagsOf(cell), mode: 'open', rate: round(0.8 * limit.ratePerS) };
    const calm = await load(server.url, flags);
    let swaps = 0;
    let isOver = false;
    const swapping = (async () => {
      for (; !isOver; swaps++) {
        await server.ask('swap');
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    })();
    const busy = await load(server.url, flags);
    isOver = true;
    await swapping;
    const late = (result: typeof calm): number => ((100 - (result.goodput_pct ?? 0)) / 100) * result.n;
    const reference = `${swaps} swaps, SLO ${sloMs.toFixed(1)} ms, ${late(calm).toFixed(0)} of ${calm.n} late without swaps`;
    const base = { model, variant, n: busy.n };
    const { chosen, best, setups, spread } = await server.ask<{
      chosen: number;
      best: number;
      setups: number;
      spread: number;
    }>('sweep');
    const share = best - chosen <= spread ? Math.max(1, chosen / best) : chosen / best;
    return [
      { ...base, id: 'swap-failed', value: busy.n - busy.ok, unit: 'requests', reference },
      {
        ...base,
        id: 'swap-late',
        value: Math.max(0, Math.round(late(busy) - late(calm))),
        unit: 'requests',
        reference,
      },
      {
        ...base,
        id: 'choice',
        value: round(share),
        unit: 'of the best',
        reference: `${setups} setups, ${JSON.stringify(plan)}`,
        n: 5,
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
