/** What gRPC, and a Unix socket with shared memory, add to one inference: one client, against empty servers. */
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

export async function transportCells(cell: Cell): Promise<Line[]> {
  const { file, model, variant, shape, input, seconds } = cell;
  const base = { model, variant, unit: 'ms' };
  const folder = path.join(os.tmpdir(), `espalier-bench-${process.pid}`);
  const agent = await serveAgent(file, ['--tune-limit-s', '0', '--socket', `${folder}.sock`], false);
  const stub = await serve(path.join(import.meta.dirname, 'stubs.ts'), [`${folder}-stub.sock`], /gRPC at/);
  const client = new InferenceClient(`unix:${folder}.sock`);
  const empty = new InferenceClient(`unix:${folder}-stub.sock`);
  try {
    // The agent runs one worker of one thread here; so must the bare run.
    const { batch1Ms } = await bare(file, shape, '1', seconds, 1);
    const probe = { shape, input, mode: 'probe', seconds, warm: 1, grpc: true };
    const there = await load(stub.grpcUrl!, probe);
    const mine = await load(agent.grpcUrl!, probe);
    const grpc = (mine.p50_ms ?? 0) - (there.p50_ms ?? 0) - batch1Ms;
    const dims = [1, ...shape.split(',').map(Number)];
    const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, at) => ((at * 7919) % 1000) / 1000);
    const region = await client.share(`espalier-bench-${process.pid}`, data.byteLength);
    const infer = async (to: InferenceClient): Promise<unknown> =>
      to.infer('m', [region.write(input, dims, 'FP32', data)]).catch((error: unknown) => {
        if (to === client) throw error;
      });
    const shared = await p50(() => infer(client), seconds);
    const nothing = await p50(() => infer(empty), seconds);
    await client.unshare(region);
    const words = (stubMs: number): string =>
      `stub ${stubMs.toFixed(2)} ms, bare ${batch1Ms.toFixed(2)} ms, one thread`;
    return [
      { ...base, id: 'grpc', value: round(grpc), reference: words(there.p50_ms ?? 0), n: mine.n },
      {
        ...base,
        id: 'unix-shm',
        value: round(shared.ms - nothing.ms - batch1Ms),
        reference: words(nothing.ms),
        n: shared.n,
      },
    ];
  } finally {
    client.close();
    empty.close();
    await Promise.all([agent.stop(), stub.stop()]);
  }
}
