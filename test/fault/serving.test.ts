/** What clients and the machine do to a serving agent: thousands of connections, huge requests, silent readers, less CPU. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import path from 'node:path';
import { InferenceClient } from '@espalier/client';
import { ModelInferRequest } from '@espalier/proto/inference';
import t from 'tap';
import { root, start } from '../support/process.ts';

const agent = start('agent/dist/main.js', [
  ...['serve', path.join(root, 'deploy/sample/fashion-ds.onnx'), '--name', 'm', '--port', '0', '--grpc-port', '0'],
  ...['--tune-limit-s', '0'],
]);
const [, url = ''] = await agent.waitFor(/at (http:\/\/[\d.:]+)\/v2\/models/);
const [, grpc = ''] = await agent.waitFor(/gRPC at (\S+)/);
t.teardown(() => agent.stop());
const client = new InferenceClient(url);
t.teardown(() => client.close());

const image = { name: 'image', shape: [1, 1, 28, 28], data: new Float32Array(784).fill(0.5) };
const ask = (): Promise<unknown> => client.infer('m', [image]);
const rssMb = (): number =>
  Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${agent.child.pid}/status`, 'utf8'))?.[1]) / 1024;

/** Files that a process may open here, both sides of a connection counted. */
const openFiles = Number(/Max open files\s+(\d+)/.exec(readFileSync(`/proc/${agent.child.pid}/limits`, 'utf8'))?.[1]);

t.test('10,000 open connections keep nobody waiting, and cost little', async (t) => {
  const count = Math.min(10_000, openFiles - 500);
  t.comment(`${count} connections, of ${openFiles} files`);
  const beforeMb = rssMb();
  const { hostname, port } = new URL(url);
  const open: net.Socket[] = [];
  while (open.length < count) {
    const some = Array.from({ length: Math.min(200, count - open.length) }, () => net.connect(Number(port), hostname));
    await Promise.all(
      some.map((socket) => new Promise((resolve, reject) => socket.on('connect', resolve).on('error', reject))),
    );
    open.push(...some);
  }
  for (let at = 0; at < 50; at++) await ask();
  const eachKb = ((rssMb() - beforeMb) * 1024) / count;
  t.ok(eachKb < 20, `${eachKb.toFixed(1)} kB for each`);
  for (const socket of open) socket.destroy();
  await t.resolves(ask());
});

/** A call by hand: what a client library would never send. */
async function call(body: readonly Buffer[]): Promise<Record<string, unknown>> {
  const session = http2.connect(`http://${grpc}`);
  session.on('error', () => undefined);
  const stream = session.request({
    ...{ ':method': 'POST', ':path': '/inference.GRPCInferenceService/ModelInfer' },
    ...{ 'content-type': 'application/grpc', te: 'trailers' },
  });
  stream.on('error', () => undefined);
  const headers = new Promise<Record<string, unknown>>((resolve) => {
    stream.on('response', (one) => one['grpc-status'] !== undefined && resolve(one));
    stream.on('trailers', resolve);
  });
  for (const part of body) stream.write(part);
  const answered = await headers;
  session.destroy();
  return answered;
}

t.test('a message that announces more than the limit is refused at once, and the server goes on', async (t) => {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(2 ** 31, 1);
  t.match(await call([prefix]), { 'grpc-status': '8', 'grpc-message': /larger than 67108864 bytes/ });
  t.match(await call([Buffer.from([0, 0, 0, 0, 2, 255, 255])]), { 'grpc-status': '13' }, 'no message at all');
  await t.resolves(ask());
});

t.test('a stream whose client never reads holds nobody up, and the agent takes nothing more from it', async (t) => {
  const request = ModelInferRequest.encode(
    ModelInferRequest.fromPartial({
      modelName: 'm',
      // The answer is as large as the request says nothing of: an id is echoed.
      id: 'x'.repeat(64 * 1024),
      inputs: [{ name: 'image', datatype: 'FP32', shape: [1n, 1n, 28n, 28n] }],
      rawInputContents: [Buffer.alloc(784 * 4)],
    }),
  ).finish();
  const framed = Buffer.alloc(5 + request.length);
  framed.writeUInt32BE(request.length, 1);
  framed.set(request, 5);
  const session = http2.connect(`http://${grpc}`, { settings: { initialWindowSize: 65_535 } });
  session.on('error', () => undefined);
  const stream = session.request({
    ...{ ':method': 'POST', ':path': '/inference.GRPCInferenceService/ModelStreamInfer' },
    ...{ 'content-type': 'application/grpc', te: 'trailers' },
  });
  stream.on('error', () => undefined).pause();
  const beforeMb = rssMb();
  let sent = 0;
  for (let isStuck = false; sent < 2000 && !isStuck; sent++)
    if (!stream.write(framed))
      isStuck = await Promise.race([
        new Promise<boolean>((resolve) => stream.once('drain', () => resolve(false))),
        new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 3000)),
      ]);
  t.ok(sent < 2000, `it was no longer read after ${sent} of 2000 requests`);
  for (let at = 0; at < 50; at++) await ask();
  t.ok(rssMb() - beforeMb < 128, `${(rssMb() - beforeMb).toFixed(0)} MB more`);
  session.destroy();
  await t.resolves(ask());
});

/** A group whose processes get a share of one CPU, by whichever version of cgroups is mounted; null without the right to make one. */
function cpuGroup(): { limit(percent: number | null): void; remove(): void } | null {
  const isV2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
  const folder = path.join('/sys/fs/cgroup', isV2 ? '' : 'cpu', `espalier-fault-${process.pid}`);
  try {
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'cgroup.procs'), String(agent.child.pid));
  } catch {
    return null;
  }
  const PERIOD_US = 20_000;
  return {
    limit(percent) {
      const quotaUs = percent === null ? null : (percent / 100) * PERIOD_US;
      if (isV2) writeFileSync(path.join(folder, 'cpu.max'), `${quotaUs ?? 'max'} ${PERIOD_US}`);
      else {
        writeFileSync(path.join(folder, 'cpu.cfs_period_us'), String(PERIOD_US));
        writeFileSync(path.join(folder, 'cpu.cfs_quota_us'), String(quotaUs ?? -1));
      }
    },
    remove() {
      writeFileSync(path.join(folder, '..', 'cgroup.procs'), String(agent.child.pid));
      rmdirSync(folder);
    },
  };
}

const drift = async (): Promise<number> => {
  const { model_stats } = (await (await fetch(`${url}/v2/models/m/stats`)).json()) as {
    model_stats: { scheduling: { drift: number } }[];
  };
  return model_stats[0]!.scheduling.drift;
};

const group = cpuGroup();
t.teardown(() => group?.remove());
const skip = group ? false : 'no cgroup can be made here';

t.test('a device that is throttled answers in time or refuses, loses nothing, and recovers', { skip }, async (t) => {
  const statuses = new Map<number, number>();
  const rush = async (forMs: number): Promise<void> => {
    const one = async (): Promise<void> => {
      for (const untilMs = performance.now() + forMs; performance.now() < untilMs; ) {
        const status = await client.infer('m', [image], { timeoutMs: 150 }).then(
          () => 200,
          (error: { status?: number }) => error.status ?? 0,
        );
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: 16 }, one));
  };
  await rush(2000);
  const calm = await drift();
  group!.limit(15);
  await rush(4000);
  const throttled = await drift();
  group!.limit(null);
  const inNeed = statuses.get(200) ?? 0;
  await rush(4000);
  const after = await drift();
  t.ok((statuses.get(200) ?? 0) > inNeed, 'it answers as before');
  t.comment(`drift ${calm.toFixed(2)}, throttled ${throttled.toFixed(2)}, after ${after.toFixed(2)}`);
  t.comment(JSON.stringify([...statuses]));
  t.strictSame(
    [...statuses.keys()].filter((status) => ![200, 429, 503, 504].includes(status)),
    [],
    'nothing was lost',
  );
  await t.resolves(ask());
});
