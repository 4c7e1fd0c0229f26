/** The client for applications beside the agent: Unix socket, shared memory, gRPC, typed tensors, coded errors. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { InferenceClient, type SharedTensor } from '@espalier/client';
import { GrpcInferenceClient } from '@espalier/client/grpc';
import t from 'tap';
import { root, start } from '../../../test/support/process.ts';

const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-client-'));
const socket = path.join(scratch, 'http.sock');
const agent = start('agent/dist/main.js', [
  ...[
    'serve',
    path.join(root, 'deploy/sample/fashion-ds.onnx'),
    '--port',
    '0',
    '--grpc-port',
    '0',
    '--tune-limit-s',
    '0',
  ],
  ...['--socket', socket],
]);
const [, grpcAddress = ''] = await agent.waitFor(/gRPC at (\S+)/);
const client = new InferenceClient(`unix:${socket}`);
t.teardown(async () => {
  client.close();
  await agent.stop();
  rmSync(scratch, { recursive: true, force: true });
});
const data = Float32Array.from({ length: 784 }, (_, pixel) => (pixel % 7) / 7);
const image = { name: 'image', shape: [1, 1, 28, 28], data };

t.test('over a Unix socket and over gRPC, with the same scores', async (t) => {
  t.ok(await client.ready());
  const [scores] = await client.infer('fashion-ds', [image]);
  t.equal(scores?.datatype, 'FP32');
  const grpc = new GrpcInferenceClient(grpcAddress);
  t.teardown(() => grpc.close());
  const [same] = await grpc.infer('fashion-ds', [image], { timeoutMs: 5000, priority: 1 });
  t.strictSame(same?.data, scores?.data);
  t.strictSame(same?.shape, [1, 10]);
  await t.rejects(grpc.infer('other', [image]), { status: 404, code: 'ESP_MODEL_NOT_LOADED' });
  await t.rejects(client.infer('fashion-ds', [{ ...image, data: new Int8Array(784) }]), { message: /FP32, not INT8/ });
  await t.rejects(client.classify('fashion-ds', new Uint8Array(9)), { code: 'ESP_IMAGE_REFUSED' });
});

t.test('tensors in shared memory, both ways', async (t) => {
  const [wanted] = await client.infer('fashion-ds', [image]);
  const region = await client.share(`espalier-client-${process.pid}`, 4096);
  const input = region.write('image', [1, 1, 28, 28], 'FP32', data);
  const output: SharedTensor = region.place(wanted!.name, [1, 10], 'FP32', 40, 3136);
  t.strictSame(
    await client.infer('fashion-ds', [input], { outputs: [output] }),
    [],
    'nothing comes through the socket',
  );
  t.strictSame(region.read(output), wanted?.data);
  t.throws(() => region.write('image', [1], 'FP32', data, 2000), RangeError);
  await client.unshare(region);
  t.notOk(existsSync(`/dev/shm/espalier-client-${process.pid}`));
  await t.rejects(client.infer('fashion-ds', [input]), { code: 'ESP_REGION_UNKNOWN' });
});

t.test('a request that was refused says when to try again', async (t) => {
  const answers = await Promise.allSettled(
    Array.from({ length: 30 }, () => client.infer('fashion-ds', [image], { timeoutMs: 0.3 })),
  );
  const refused = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []));
  t.ok(refused.length > 0);
  for (const { code, retryAfterMs } of refused)
    t.ok(code === 'ESP_DEADLINE_EXCEEDED' || (code === 'ESP_OVERLOADED' && retryAfterMs > 0), code);
});
