/** What gRPC, and a Unix socket with shared memory, add to one inference: one client, against empty servers. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { InferenceClient } from '@espalier/client';
import type { Cell, Line } from './cells.ts';
import { bare, load, median, serve, serveAgent } from './tools.ts';

const round = (value: number): number => Math.round(value * 1000) / 1000;

/** Milliseconds of one call after another: the median. */
async function p50(call: () => Promise<unknown>, seconds: number): Promise<{ ms: number; n: number }> {
  const times: number[] = [];
  for (const untilMs = performance.now() + seconds * 1000; performance.now() < untilMs; ) {
    const fromMs = performance.now();
    await call();
    times.push(performance.now() - fromMs);
  }
  return { ms: median(times.slice(Math.floor(times.length / 10))), n: times.length };
}

/** What one round found, milliseconds: the runtime alone, an empty server, the agent. */
interface Round {
  readonly bare: number;
  readonly stub: number;
  readonly agent: number;
  readonly n: number;
}

/** The median of what each round's own stub and bare run leave: a machine whose pace changes between rounds says the same. */
function lineOf(id: string, rounds: readonly Round[], { model, variant }: Cell): Line {
  const of = (pick: (round: Round) => number): number => median(rounds.map(pick));
  const reference = `stub ${of((one) => one.stub).toFixed(2)} ms, bare ${of((one) => one.bare).toFixed(2)} ms on one thread, agent ${of((one) => one.agent).toFixed(2)} ms, ${rounds.length} rounds`;
  const value = round(of(({ agent, stub, bare: alone }) => agent - stub - alone));
  const n = rounds.reduce((sum, one) => sum + one.n, 0);
  return { id, model, variant, value, unit: 'ms', reference, n };
}

export async function transportCells(cell: Cell): Promise<Line[]> {
  const { file, shape, input, rounds } = cell;
  const seconds = cell.seconds / 2;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'espalier-bench-sockets-'));
  const sockets = { agent: path.join(folder, 'agent.sock'), stub: path.join(folder, 'stub.sock') };
  // One worker of one thread, as the bare run has: what is asked for is the way there and back.
  const agent = await serveAgent(file, ['--tune-limit-s', '0', '--socket', sockets.agent], false);
  const stub = await serve(path.join(import.meta.dirname, 'stubs.ts'), [sockets.stub], /gRPC at/);
  const client = new InferenceClient(`unix:${sockets.agent}`);
  const empty = new InferenceClient(`unix:${sockets.stub}`);
  try {
    const probe = { shape, input, mode: 'probe', seconds, warm: 0.5, grpc: true };
    const dims = [1, ...shape.split(',').map(Number)];
    const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, at) => ((at * 7919) % 1000) / 1000);
    const region = await client.share(`espalier-bench-${process.pid}`, data.byteLength);
    const infer = (to: InferenceClient) => async (): Promise<unknown> =>
      to.infer('m', [region.write(input, dims, 'FP32', data)]);
    const [grpc, shm]: [Round[], Round[]] = [[], []];
    for (let at = 0; at < Math.max(5, rounds); at++) {
      const alone = (await bare(file, shape, '1', seconds, 1)).batch1Ms;
      const there = await load(stub.grpcUrl!, probe);
      const mine = await load(agent.grpcUrl!, probe);
      grpc.push({ bare: alone, stub: there.p50_ms ?? Number.NaN, agent: mine.p50_ms ?? Number.NaN, n: mine.n });
      const nothing = await p50(infer(empty), seconds);
      const shared = await p50(infer(client), seconds);
      shm.push({ bare: alone, stub: nothing.ms, agent: shared.ms, n: shared.n });
    }
    await client.unshare(region);
    return [lineOf('grpc', grpc, cell), lineOf('unix-shm', shm, cell)];
  } finally {
    client.close();
    empty.close();
    await Promise.all([agent.stop(), stub.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
}
