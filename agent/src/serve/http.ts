/** The Open Inference Protocol v2 over HTTP, with health and metrics. Plain node:http: the agent must stay small. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CodedError, errorBody } from '@espalier/proto';
import type { Log } from '../common/log.js';
import { BodyTooLarge, PortTaken, RouteNotFound } from '../errors.js';
import { AGENT_VERSION } from '../version.js';
import type { AgentMetrics } from './metrics.js';
import type { Served, Serving } from './serving.js';
import { datatypeOf, parseBody, readInputs, writeResponse } from './tensors.js';

export interface HttpParts {
  readonly serving: Serving;
  readonly metrics: AgentMetrics;
  readonly maxBodyBytes: number;
  readonly log: Log;
  readonly now: () => number;
}

interface Answer {
  readonly status?: number;
  readonly json?: unknown;
  readonly body?: Buffer;
  readonly headers?: Record<string, string>;
}

/** @throws ESP_BODY_TOO_LARGE, with the request left open: who still sends must be able to read the answer */
async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw BodyTooLarge({ limitBytes });
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limitBytes) throw BodyTooLarge({ limitBytes });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const metadata = ({ name, version, pool }: Served): unknown => {
  const tensor = ({ name, type, shape }: { name: string; type: string; shape: readonly (number | string)[] }) => ({
    name,
    datatype: datatypeOf(type),
    // The protocol writes -1 for what may vary.
    shape: shape.map((dim) => (typeof dim === 'number' && dim >= 0 ? dim : -1)),
  });
  return {
    name,
    versions: [version],
    platform: 'onnxruntime_onnx',
    inputs: pool.inputs.map(tensor),
    outputs: pool.outputs.map(tensor),
  };
};

async function infer(parts: HttpParts, name: string, request: IncomingMessage): Promise<Answer> {
  const arrivedMs = parts.now();
  const length = request.headers['inference-header-content-length'];
  const body = await readBody(request, parts.maxBodyBytes);
  // After the body: a slow upload may outlast a swap, and the old model ends with it.
  const served = parts.serving.model(name);
  const { request: asked, binary } = parseBody(body, length === undefined ? null : Number(length));
  const result = await parts.serving.infer(served, readInputs(asked, binary, served.pool.inputs), { arrivedMs });
  const { body: answer, headerLength } = writeResponse(served.name, served.version, asked, result.outputs);
  result.release();
  if (headerLength === null) return { body: answer, headers: { 'content-type': 'application/json' } };
  return {
    body: answer,
    headers: { 'content-type': 'application/octet-stream', 'inference-header-content-length': String(headerLength) },
  };
}

async function route(parts: HttpParts, request: IncomingMessage): Promise<Answer> {
  const { serving } = parts;
  const method = request.method ?? 'GET';
  const { pathname } = new URL(request.url ?? '/', 'http://agent');
  const model = /^\/v2\/models\/([^/]+)(?:\/versions\/[^/]+)?(?:\/(ready|infer|stats))?$/.exec(pathname);
  if (method === 'POST' && model?.[2] === 'infer') return infer(parts, decodeURIComponent(model[1]!), request);
  if (method !== 'GET') throw RouteNotFound({ method, path: pathname });
  if (model && model[2] !== 'infer') {
    const served = serving.model(decodeURIComponent(model[1]!));
    return model[2] === 'ready' ? { status: served.pool.alive ? 200 : 503, json: {} } : { json: metadata(served) };
  }
  switch (pathname) {
    case '/v2/health/live':
      return { json: {} };
    case '/v2/health/ready':
      return { status: serving.healthy ? 200 : 503, json: {} };
    case '/v2':
      return {
        json: {
          name: 'espalier-agent',
          version: AGENT_VERSION,
          extensions: ['binary_tensor_data'],
          models: serving.served ? [serving.served.name] : [],
        },
      };
    case '/health':
      return {
        status: serving.healthy ? 200 : 503,
        json: { healthy: serving.healthy, model: serving.served?.name ?? null, digest: serving.served?.digest ?? null },
      };
    case '/metrics':
      return {
        body: Buffer.from(await parts.metrics.text()),
        headers: { 'content-type': 'text/plain; version=0.0.4' },
      };
    default:
      throw RouteNotFound({ method, path: pathname });
  }
}

function send(response: ServerResponse, { status = 200, json, body, headers }: Answer): void {
  const bytes = body ?? Buffer.from(JSON.stringify(json));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length, ...headers });
  response.end(bytes);
}

/** Starts the endpoints; resolves with the port that is listened on. @throws ESP_PORT_TAKEN */
export async function listen(parts: HttpParts, host: string, port: number): Promise<{ server: Server; port: number }> {
  const server = createServer((request, response) => {
    route(parts, request).then(
      (answer) => send(response, answer),
      (error: unknown) => {
        const status = error instanceof CodedError ? error.status : 500;
        if (status === 500) parts.log.error({ error: (error as Error).stack, path: request.url }, 'a request failed');
        // Who still sends a body that was refused reads the answer only after it: the rest is thrown away.
        request.resume();
        // `error` is the protocol's field; the rest is ours.
        send(response, { status, json: { error: (error as Error).message, ...errorBody(error) } });
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? PortTaken({ host, port }) : error),
    );
    server.listen(port, host, resolve);
  });
  return { server, port: (server.address() as AddressInfo).port };
}
