/** The whole Open Inference Protocol of a served model: HTTP and gRPC, on ports and on Unix sockets. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';
import {
  GRPCInferenceServiceClient,
  ModelInferRequest,
  type ModelStreamInferResponse,
} from '@espalier/proto/inference';
import { credentials, type Metadata, type ServiceError } from '@grpc/grpc-js';
import t from 'tap';
import { root, start } from '../../../test/support/process.ts';

const scratch = mkdtempSync(path.join(os.tmpdir(), 'espalier-protocol-'));
const socket = path.join(scratch, 'http.sock');
const grpcSocket = path.join(scratch, 'grpc.sock');
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
  ...['--socket', socket, '--grpc-socket', grpcSocket],
]);
t.teardown(async () => {
  await agent.stop();
  rmSync(scratch, { recursive: true, force: true });
});
const [, endpoint = ''] = await agent.waitFor(/at (http:\/\/[\d.]+:\d+)\//);
const [, grpcAddress = ''] = await agent.waitFor(/gRPC at (\S+)/);
const model = `${endpoint}/v2/models/fashion-ds`;
const pixels = Float32Array.from({ length: 784 }, (_, at) => (at % 9) / 9);
const bytes = Buffer.from(pixels.buffer);
const input = { name: 'image', shape: [1, 1, 28, 28], datatype: 'FP32' };
const json = (change: object = {}): string => JSON.stringify({ inputs: [{ ...input, data: [...pixels] }], ...change });
const post = (body: string | Uint8Array, headers: Record<string, string> = {}, where = `${model}/infer`) =>
  fetch(where, { method: 'POST', body: body as BodyInit, headers });
const wanted = ((await (await post(json())).json()) as { outputs: { name: string; data: number[] }[] }).outputs[0]!;
const scores = (raw: Uint8Array | undefined): number[] => [...new Float32Array(Uint8Array.from(raw ?? []).buffer)];

t.test('bodies may be compressed both ways, and are bounded when unpacked', async (t) => {
  for (const encoding of ['gzip', 'deflate']) {
    const body = encoding === 'gzip' ? gzipSync(json()) : await promisify((await import('node:zlib')).deflate)(json());
    const answer = await post(body, { 'content-encoding': encoding });
    t.strictSame(((await answer.json()) as { outputs: unknown[] }).outputs[0], wanted, encoding);
  }
  const bomb = gzipSync(Buffer.alloc(65 * 1024 * 1024));
  t.equal((await post(bomb, { 'content-encoding': 'gzip' })).status, 413);
  t.equal((await post('none', { 'content-encoding': 'gzip' })).status, 400);
  t.match(await (await post(json(), { 'content-encoding': 'br' })).json(), { error: /Content-Encoding is br/ });
  const raw = await new Promise<http.IncomingMessage>((resolve) =>
    http.get(`${model}/stats`, { headers: { 'accept-encoding': 'gzip' } }, resolve),
  );
  const chunks: Buffer[] = [];
  for await (const chunk of raw) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks);
  t.match(JSON.parse((raw.headers['content-encoding'] === 'gzip' ? gunzipSync(text) : text).toString()), {
    model_stats: [],
  });
});

t.test('server and model say what they are, by name and version', async (t) => {
  t.match(await (await fetch(`${endpoint}/v2`)).json(), { extensions: ['binary_tensor_data', 'statistics'] });
  t.equal((await fetch(`${model}/ready`)).status, 200);
  t.equal((await fetch(`${model}/versions/1/ready`)).status, 200);
  t.equal((await fetch(`${model}/versions/7/ready`)).status, 404);
  t.equal((await fetch(`${endpoint}/v2/models/other/ready`)).status, 404);
  t.match(await (await fetch(`${model}/config`)).json(), {
    max_batch_size: Number,
    input: [{ data_type: 'TYPE_FP32', dims: [1, 28, 28] }],
  });
  const {
    model_stats: [stats],
  } = (await (await fetch(`${endpoint}/v2/models/stats`)).json()) as {
    model_stats: { inference_stats: { success: { count: number; ns: number } } }[];
  };
  t.ok(stats!.inference_stats.success.count >= 1 && stats!.inference_stats.success.ns > 0);
});

t.test('what is wrong in a request is named', async (t) => {
  for (const [body, problem] of [
    ['{', /not JSON/],
    [json({ inputs: [] }), /inputs/],
    [json({ inputs: [{ ...input, datatype: 'INT8', data: [] }] }), /image is FP32, not INT8/],
    [json({ inputs: [{ ...input, shape: [1, 1, 28, 27], data: [] }] }), /shape \[1,1,28,27\]/],
    [json({ inputs: [{ ...input, data: [1, 2] }] }), /needs 784 values and got 2/],
    [json({ outputs: [{ name: 'nothing' }] }), /no output nothing/],
    [json({ parameters: { timeout: -1 } }), /parameters.timeout is -1/],
    [json({ parameters: { priority: 'now' } }), /parameters.priority is now/],
  ] as const) {
    const answer = await post(body);
    t.equal(answer.status, 400);
    t.match(await answer.json(), { code: 'ESP_REQUEST_INVALID', error: problem });
  }
  t.equal((await fetch(`${endpoint}/v2/models/%E0%A4%A`)).status, 400);
  const image = await post(bytes, { 'content-type': 'image/png' });
  t.equal(image.status, 415, 'a model without preprocessing takes no images');
});

t.test('a timeout that cannot be kept is refused, and says when to come again', async (t) => {
  const answers = await Promise.all(Array.from({ length: 40 }, () => post(json({ parameters: { timeout: 300 } }))));
  const refused = answers.filter(({ status }) => status !== 200);
  t.ok(refused.length > 0);
  for (const answer of refused) {
    t.ok([429, 504].includes(answer.status), `status ${answer.status}`);
    t.equal(answer.headers.has('retry-after'), answer.status === 429);
    await answer.text();
  }
});

t.test('gRPC answers the same, on a port and on a Unix socket', async (t) => {
  for (const address of [grpcAddress, `unix:${grpcSocket}`]) {
    const client = new GRPCInferenceServiceClient(address, credentials.createInsecure());
    type Method<Q, A> = (
      request: Q,
      ...more: [Metadata, object, (error: ServiceError | null, answer: A) => void]
    ) => unknown;
    const call = <Q, A>(method: Method<Q, A>, request: Q) => promisify<Q, A>(method.bind(client) as never)(request);
    t.strictSame(await call(client.serverLive, {}), { live: true });
    t.strictSame(await call(client.serverReady, {}), { ready: true });
    t.strictSame(await call(client.modelReady, { name: 'fashion-ds', version: '' }), { ready: true });
    t.match(await call(client.modelMetadata, { name: 'fashion-ds', version: '1' }), {
      inputs: [{ shape: [-1n, 1n, 28n, 28n] }],
    });
    t.match(await call(client.modelConfig, { name: 'fashion-ds', version: '' }), {
      config: { input: [{ dataType: 11 }] },
    });
    const request = ModelInferRequest.fromPartial({
      ...{ modelName: 'fashion-ds', id: 'a', rawInputContents: [bytes] },
      inputs: [{ name: 'image', datatype: 'FP32', shape: [1n, 1n, 28n, 28n] }],
    });
    const answer = await call(client.modelInfer, request);
    t.equal(answer.id, 'a');
    t.strictSame(scores(answer.rawOutputContents[0]), [...Float32Array.from(wanted.data)]);
    const contents = { fp32Contents: [...pixels] };
    const typed = ModelInferRequest.fromPartial({
      ...request,
      rawInputContents: [],
      inputs: [{ ...request.inputs[0]!, contents }],
    });
    t.strictSame(scores((await call(client.modelInfer, typed)).rawOutputContents[0]), [
      ...Float32Array.from(wanted.data),
    ]);
    await t.rejects(call(client.modelInfer, { ...request, modelName: 'other' }), { code: 5 });
    await t.rejects(call(client.modelInfer, { ...request, rawInputContents: [] }), { code: 3 });
    const { modelStats } = await call(client.modelStatistics, { name: '', version: '' });
    t.ok(modelStats[0]!.inferenceCount > 0n);
    const stream = client.modelStreamInfer();
    const answers: ModelStreamInferResponse[] = [];
    stream.on('data', (one: ModelStreamInferResponse) => answers.push(one));
    for (let at = 0; at < 8; at++)
      stream.write({ ...request, id: String(at), modelName: at === 5 ? 'other' : 'fashion-ds' });
    stream.end();
    await new Promise((resolve) => stream.on('end', resolve));
    t.equal(answers.length, 8);
    t.strictSame(
      answers.filter(({ errorMessage }) => errorMessage).map(({ inferResponse }) => inferResponse?.id),
      ['5'],
    );
    client.close();
  }
});

t.test('HTTP over a Unix socket', async (t) => {
  const status = await new Promise((resolve) =>
    http.get({ socketPath: socket, path: '/v2/health/ready' }, (response) => resolve(response.resume().statusCode)),
  );
  t.equal(status, 200);
  t.ok(statSync(socket).isSocket());
});

t.test('tensors in shared memory: read, written, and never outside of the region', async (t) => {
  const key = `espalier-test-${process.pid}`;
  const file = path.join('/dev/shm', key);
  writeFileSync(file, Buffer.concat([Buffer.alloc(64), bytes, Buffer.alloc(40)]));
  t.teardown(() => rmSync(file, { force: true }));
  const memory = `${endpoint}/v2/systemsharedmemory`;
  const register = (name: string, body: object) => post(JSON.stringify(body), {}, `${memory}/region/${name}/register`);
  t.equal((await register('r', { key, offset: 64, byte_size: bytes.length + 40 })).status, 200);
  t.match(await (await fetch(`${memory}/region/r/status`)).json(), [{ name: 'r', key, offset: 64 }]);
  const place = (offset: number, size: number, region = 'r') => ({
    ...{ shared_memory_region: region, shared_memory_offset: offset, shared_memory_byte_size: size },
  });
  const inputs = [{ ...input, parameters: place(0, bytes.length) }];
  const outputs = [{ name: wanted.name, parameters: place(bytes.length, 40) }];
  const answer = await post(JSON.stringify({ inputs, outputs }));
  t.equal(answer.status, 200);
  t.match(await answer.json(), { outputs: [{ parameters: { shared_memory_byte_size: 40 } }] });
  t.strictSame(scores(readFileSync(file).subarray(64 + bytes.length)), [...Float32Array.from(wanted.data)]);
  for (const [parameters, code] of [
    [place(48, bytes.length), 'ESP_REQUEST_INVALID'],
    [place(-4, bytes.length), 'ESP_REQUEST_INVALID'],
    [place(0, bytes.length - 4), 'ESP_REQUEST_INVALID'],
    [place(0, bytes.length, 'unknown'), 'ESP_REGION_UNKNOWN'],
  ] as const) {
    const refused = await post(JSON.stringify({ inputs: [{ ...input, parameters }] }));
    t.equal(refused.status, 400);
    t.match(await refused.json(), { code });
  }
  for (const wrong of [
    { key: '../../etc/passwd', byte_size: 10 },
    { key: '/..', byte_size: 10 },
    { key, byte_size: 1e9 },
    { key: 'none', byte_size: 1 },
  ])
    t.equal((await register('x', wrong)).status, 400, JSON.stringify(wrong));
  writeFileSync(file, '');
  t.equal((await post(JSON.stringify({ inputs }))).status, 400, 'a region that was cut off behind our back');
  t.equal((await post('', {}, `${memory}/region/r/unregister`)).status, 200);
  t.strictSame(await (await fetch(`${memory}/status`)).json(), []);
});

t.test('a stop answers what is under way', async (t) => {
  const open = Array.from({ length: 20 }, () =>
    post(json()).then(
      ({ status }) => status,
      () => 0,
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 5));
  await agent.stop();
  const answers = await Promise.all(open);
  t.ok(
    answers.every((status) => status === 200 || status === 0),
    answers.join(),
  );
});
