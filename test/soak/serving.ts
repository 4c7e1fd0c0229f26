/**
 * `npm run soak:serving`: an agent that is asked many requests while its model is exchanged, with thousands of connections
 * open. Nothing may fail, and memory must not grow.
 *
 *   node test/soak/serving.ts [--requests 1000000] [--swaps 500] [--connections 10000] [--clients 8] [--model FILE]
 *
 * Prints a line of JSON for each figure, and ends with 1 when a request failed or memory grew by more than 2 per cent.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { InferenceClient } from '@espalier/client';
import { benchArguments } from '../bench/arguments.ts';
import { AGENT_FLAGS, median, privateDirtyMb, type RunningServer, serve } from '../bench/serving/tools.ts';
import { root } from '../support/process.ts';

const values = benchArguments(import.meta.filename, {
  requests: { type: 'string', default: '1000000' },
  swaps: { type: 'string', default: '500' },
  connections: { type: 'string', default: '10000' },
  clients: { type: 'string', default: '8' },
  model: { type: 'string', default: path.join(root, 'deploy/sample/fashion-ds.onnx') },
});
const [requests, swaps, connections, clients] = [values.requests, values.swaps, values.connections, values.clients].map(
  Number,
) as [number, number, number, number];
const MOST_GROWTH_PERCENT = 2;
/**
 * Growth counts from the second fifth of the requests to the last one. The first fifth is left out: in it the heaps of the
 * threads, the runtime's arenas and the slabs reach their size, once and for all. Whole fifths, because what a swap leaves
 * behind is collected every now and then, and a few readings see one half of that.
 */
const FIFTHS = { first: [0.2, 0.4], last: [0.8, 1] } as const;

const print = (id: string, value: number, unit: string): void =>
  void process.stdout.write(`${JSON.stringify({ id, value, unit })}\n`);

/** Opens connections that say nothing; as many as the system allows. */
async function openIdle(url: URL, count: number): Promise<net.Socket[]> {
  const open: net.Socket[] = [];
  for (let at = 0; at < count; at++) {
    const socket = net.connect(Number(url.port), url.hostname);
    const isOpen = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    if (!isOpen) break;
    socket.on('error', () => undefined);
    open.push(socket);
  }
  return open;
}

interface Done {
  answered: number;
  failed: number;
  /** Readings of memory with the share of the requests that were answered by then. */
  readonly memory: { readonly share: number; readonly mb: number }[];
}

/** Requests and swaps side by side; memory is read as they go on. */
async function soak(server: RunningServer, shape: readonly number[], input: string): Promise<Done> {
  const done: Done = { answered: 0, failed: 0, memory: [] };
  const count = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length: count }, (_, at) => (at % 7) / 7);
  const one = async (): Promise<void> => {
    const client = new InferenceClient(server.url);
    for (; done.answered + done.failed < requests; )
      await client.infer('m', [{ name: input, shape, data }]).then(
        () => done.answered++,
        () => done.failed++,
      );
    client.close();
  };
  const share = (): number => (done.answered + done.failed) / requests;
  const exchange = async (): Promise<void> => {
    for (let made = 0; share() < 1; ) {
      if (made >= swaps * share()) await new Promise((resolve) => setTimeout(resolve, 20));
      else {
        await server.ask('swap');
        made++;
      }
    }
  };
  const watch = async (): Promise<void> => {
    for (; share() < 1; await new Promise((resolve) => setTimeout(resolve, 250)))
      done.memory.push({ share: share(), mb: privateDirtyMb(server.child.pid) });
  };
  await Promise.all([...Array.from({ length: clients }, one), exchange(), watch()]);
  return done;
}

const plans = mkdtempSync(path.join(os.tmpdir(), 'espalier-soak-'));
const child = path.join(root, 'test/bench/serving/child.ts');
const server = await serve(child, [values.model, plans, ''], /gRPC at/, { channel: true, flags: AGENT_FLAGS });
try {
  await server.ask('tuned');
  const metadata = (await (await fetch(`${server.url}/v2/models/m`)).json()) as {
    inputs: { name: string; shape: number[] }[];
  };
  const { name, shape } = metadata.inputs[0]!;
  const idle = await openIdle(new URL(server.url), connections);
  print('connections', idle.length, `open of ${connections}`);
  const { answered, failed, memory } = await soak(
    server,
    shape.map((dim) => Math.max(1, dim)),
    name,
  );
  for (const socket of idle) socket.destroy();
  const within = ([from, to]: readonly [number, number]): number =>
    median(memory.filter(({ share }) => share > from && share <= to).map(({ mb }) => mb));
  const first = within(FIFTHS.first);
  const growth = 100 * (within(FIFTHS.last) / first - 1);
  for (const fifth of [0, 1, 2, 3, 4])
    print(
      `memory-${fifth + 1}`,
      Math.round(10 * within([fifth / 5, (fifth + 1) / 5])) / 10,
      'MB, median of that fifth',
    );
  print('answered', answered, 'requests');
  print('failed', failed, 'requests');
  print('memory', Math.round(first), 'MB private dirty, second fifth');
  print('growth', Math.round(growth * 10) / 10, '% from the second fifth to the last');
  process.exitCode = failed > 0 || growth > MOST_GROWTH_PERCENT ? 1 : 0;
} finally {
  await server.stop();
  rmSync(plans, { recursive: true, force: true });
}
