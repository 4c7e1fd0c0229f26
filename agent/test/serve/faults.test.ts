/** Clients that behave badly cost nobody else an answer, and an agent that is asked to stop answers what it has. */
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import t from 'tap';
import { root, start } from '../../../test/support/process.ts';

const agent = start('agent/dist/main.js', [
  ...['serve', path.join(root, 'deploy/sample/fashion-ds.onnx'), '--name', 'm', '--port', '0', '--grpc-port', '0'],
  ...['--tune-limit-s', '0'],
]);
const [, address = ''] = await agent.waitFor(/at (http:\/\/\S+)\/v2\/models/);
const { hostname, port } = new URL(address);
t.teardown(() => agent.stop());

const body = JSON.stringify({
  inputs: [{ name: 'image', shape: [1, 1, 28, 28], datatype: 'FP32', data: Array.from({ length: 784 }, () => 0.5) }],
});

/** One request on a connection of its own; the status, or the code of what went wrong with the connection. */
const ask = (): Promise<number | string> =>
  new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const options = { hostname, port, path: '/v2/models/m/infer', method: 'POST', agent: false, headers };
    const request = http.request(options, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
      response.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
    request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    request.end(body);
  });

const connect = (): Promise<net.Socket> =>
  new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), hostname, () => resolve(socket)).on('error', reject);
  });

t.test('500 connections that say nothing keep nobody waiting', async (t) => {
  const open = await Promise.all(Array.from({ length: 500 }, connect));
  t.strictSame(await Promise.all(Array.from({ length: 20 }, ask)), new Array(20).fill(200));
  for (const socket of open) socket.destroy();
});

t.test('a client that sends and never reads is no burden to others', async (t) => {
  const silent = await connect();
  silent.pause();
  const head = `POST /v2/models/m/infer HTTP/1.1\r\nhost: m\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
  for (let at = 0; at < 2000 && silent.write(head + body); at++);
  t.strictSame(await Promise.all(Array.from({ length: 50 }, ask)), new Array(50).fill(200));
  silent.destroy();
});

t.test('a connection that ends within its body is forgotten', async (t) => {
  const socket = await connect();
  socket.write(`POST /v2/models/m/infer HTTP/1.1\r\nhost: m\r\ncontent-length: 100000\r\n\r\n{"inputs":`);
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.destroy();
  t.equal(await ask(), 200);
});

t.test('SIGTERM under load: every request that was on its way is answered', async (t) => {
  let isOver = false;
  const results: (number | string)[] = [];
  const client = async (): Promise<void> => {
    while (!isOver) results.push(await ask());
  };
  const all = Array.from({ length: 8 }, client);
  await new Promise((resolve) => setTimeout(resolve, 500));
  agent.child.kill('SIGTERM');
  isOver = true;
  await Promise.all(all);
  const code = await agent.exited;
  t.equal(code, 0);
  t.ok(results.filter((result) => result === 200).length > 20);
  const lost = results.filter((result) => result !== 200);
  t.strictSame(lost, [], `of ${results.length}`);
});
