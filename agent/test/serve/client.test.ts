/** The agent's serving endpoints with the real sample model, through the typed client. */
import path from 'node:path';
import { InferenceClient } from '@espalier/client';
import t from 'tap';
import { root, start } from '../../../test/support/process.ts';

const agent = start('agent/dist/main.js', ['serve', path.join(root, 'deploy/sample/fashion-ds.onnx'), '--port', '0']);
t.teardown(() => agent.stop());

t.test('binary and JSON requests get the same scores, and errors are coded', async (t) => {
  const [, endpoint = ''] = await agent.waitFor(/at (http:\/\/[\d.]+:\d+)\//);
  const client = new InferenceClient(endpoint);
  t.ok(await client.ready());
  t.match(await client.metadata('fashion-ds'), {
    inputs: [{ name: 'image', datatype: 'FP32', shape: [-1, 1, 28, 28] }],
  });
  const data = Float32Array.from({ length: 784 }, (_, pixel) => (pixel % 7) / 7);
  const [scores] = await client.infer('fashion-ds', [{ name: 'image', shape: [1, 1, 28, 28], data }]);
  t.strictSame(scores?.shape, [1, 10]);
  const response = await fetch(`${endpoint}/v2/models/fashion-ds/infer`, {
    method: 'POST',
    body: JSON.stringify({ inputs: [{ name: 'image', shape: [1, 1, 28, 28], datatype: 'FP32', data: [...data] }] }),
  });
  const { outputs } = (await response.json()) as { outputs: { data: number[] }[] };
  t.strictSame(Float32Array.from(outputs[0]!.data), scores?.data);
  await t.rejects(client.infer('fashion-ds', []), { code: 'ESP_REQUEST_INVALID' }, 'a request without inputs');
  await t.rejects(client.metadata('nothing'), { code: 'ESP_MODEL_NOT_LOADED' });
  const wrong = [{ name: 'image', shape: [1, 1, 28, 27], data: new Float32Array(756) }];
  await t.rejects(client.infer('fashion-ds', wrong), { code: 'ESP_REQUEST_INVALID' }, 'a wrong shape');
});

t.test('a body over the limit is refused with an answer, not with a broken connection', async (t) => {
  const [, endpoint = ''] = await agent.waitFor(/at (http:\/\/[\d.]+:\d+)\//);
  const tooLarge = new Uint8Array(65 * 1024 * 1024);
  const known = await fetch(`${endpoint}/v2/models/fashion-ds/infer`, { method: 'POST', body: tooLarge });
  t.equal(known.status, 413);
  t.match(await known.json(), { code: 'ESP_BODY_TOO_LARGE' });
  const stream = new Blob([tooLarge]).stream();
  const options = { method: 'POST', body: stream, duplex: 'half' } as RequestInit;
  const unknown = await fetch(`${endpoint}/v2/models/fashion-ds/infer`, options);
  t.equal(unknown.status, 413, 'also when its length was not said');
  t.ok(await new InferenceClient(endpoint).ready(), 'and the agent goes on');
});

t.test('metrics count requests as a counter', async (t) => {
  const [, endpoint = ''] = await agent.waitFor(/at (http:\/\/[\d.]+:\d+)\//);
  const text = await (await fetch(`${endpoint}/metrics`)).text();
  t.match(text, /# TYPE espalier_requests_total counter\nespalier_requests_total [1-9]/);
  t.match(text, /espalier_request_failures_total 0/);
});
