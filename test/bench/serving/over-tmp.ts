import path from 'node:path';
import { InferenceClient } from '@espalier/client';
import { load, median, prepare, program, serve, serveAgent } from '/work/h-serve/test/bench/serving/tools.ts';
const [, , file, shape, rounds = '5', ids = 'http,grpc,shm'] = process.argv;
console.log(prepare('/work/shared/peers/serving'));
const base = `/tmp/hs/o-${process.pid}`;
const agent = await serveAgent(file, ['--tune-limit-s', '0', '--socket', `${base}.sock`], false);
const old = await serve('/work/h-serve/.cache/base/dist/main.js', ['serve', file, '--name', 'm', '--port', '0', '--grpc-port', '0', '--log-level', 'info', '--tune-limit-s', '0', '--socket', `${base}-old.sock`], /gRPC at/);
const stub = await serve('/work/h-serve/test/bench/serving/stubs.ts', [`${base}-stub.sock`], /gRPC at/);
const oip = await serve(program('oip-stub.mjs'), [], 'http://127.0.0.1:8500/v2');
const naive = await serve(program('naive.mjs'), ['--model', file, '--port', '8300'], 'http://127.0.0.1:8300/');
const dims = [1, ...shape.split(',').map(Number)];
const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, at) => ((at * 7919) % 1000) / 1000);
const client = new InferenceClient(`unix:${base}.sock`), former = new InferenceClient(`unix:${base}-old.sock`), empty = new InferenceClient(`unix:${base}-stub.sock`);
const region = await client.share(`hs-${process.pid}`, data.byteLength); const oldRegion = await former.share(`hsb-${process.pid}`, data.byteLength);
const p50 = async (to: InferenceClient) => {
  const times: number[] = [];
  for (const until = performance.now() + 1000; performance.now() < until;) {
    const t = performance.now();
    await to.infer('m', [(to === former ? oldRegion : region).write('input', dims, 'FP32', data)]).catch((e: unknown) => { if (to !== empty) throw e; });
    times.push(performance.now() - t);
  }
  return median(times);
};
const probe = { shape, input: 'input', mode: 'probe', seconds: 1, warm: 0.3 };
const got: Record<string, number[]> = {};
const add = (k: string, v?: number) => (got[k] ??= []).push(v ?? NaN);
for (let i = 0; i < +rounds; i++) {
  if (ids.includes('http')) {
    add('http stub', (await load('http://127.0.0.1:8500', probe)).p50_ms);
    add('http naive', (await load('http://127.0.0.1:8300', probe)).p50_ms);
    add('http old', (await load(old.url, probe)).p50_ms);
    add('http agent', (await load(agent.url, probe)).p50_ms);
  }
  if (ids.includes('grpc')) {
    add('grpc stub', (await load(stub.grpcUrl!, { ...probe, grpc: true })).p50_ms);
    add('grpc old', (await load(old.grpcUrl!, { ...probe, grpc: true })).p50_ms);
    add('grpc agent', (await load(agent.grpcUrl!, { ...probe, grpc: true })).p50_ms);
  }
  if (ids.includes('shm')) { add('shm stub', await p50(empty)); add('shm old', await p50(former)); add('shm agent', await p50(client)); }
}
const stubs: Record<string, string> = { http: 'http naive', grpc: 'grpc stub', shm: 'shm stub' };
for (const id of ['http', 'grpc', 'shm']) if (got[`${id} old`]) { const d = (k: string) => median(got[`${id} ${k}`]!.map((v, i) => v - got[stubs[id]!]![i]!)); console.log(id, 'minus', stubs[id], 'old', d('old').toFixed(3), 'now', d('agent').toFixed(3)); }
for (const [k, v] of Object.entries(got)) console.log(k.padEnd(12), 'median', median(v).toFixed(3), 'min', Math.min(...v).toFixed(3));
await client.unshare(region); await former.unshare(oldRegion); former.close(); await old.stop(); client.close(); empty.close();
await Promise.all([agent.stop(), stub.stop(), oip.stop(), naive.stop()]);
