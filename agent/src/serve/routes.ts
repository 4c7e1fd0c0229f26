/** The paths of the Open Inference Protocol v2 over HTTP, with health and metrics beside them. */
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { parseJson } from '../common/json.js';
import { memo } from '../common/memo.js';
import { RequestInvalid, RouteNotFound } from '../errors.js';
import { readBody } from './body.js';
import { modelConfig, modelMetadata, modelStatistics, serverMetadata } from './describe.js';
import type { Answer, HttpParts } from './http.js';
import { infer } from './http-infer.js';

const MODEL = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?(?:\/(ready|infer|stats|config))?$/;
const MEMORY = /^\/v2\/systemsharedmemory(?:\/region\/([^/]+))?\/(status|register|unregister)$/;

const Registration = z.object({
  key: z.string(),
  offset: z.int().nonnegative().default(0),
  byte_size: z.int().positive(),
});

const decoded = (part: string | undefined): string | undefined => {
  try {
    return part === undefined ? undefined : decodeURIComponent(part);
  } catch {
    throw RequestInvalid({ problem: `the path holds ${part}, which is not percent-encoded text` });
  }
};

async function memoryRoute(
  parts: HttpParts,
  [, part, action]: RegExpExecArray,
  request: IncomingMessage,
): Promise<Answer> {
  const name = decoded(part);
  if (action === 'status') {
    const regions = parts.memory.status(name);
    return { json: regions.map(({ byteSize, ...region }) => ({ ...region, byte_size: byteSize })) };
  }
  if (action === 'unregister') {
    parts.memory.unregister(name);
    return { json: {} };
  }
  if (name === undefined) throw RequestInvalid({ problem: 'a region is registered under a name' });
  const parsed = Registration.safeParse(parseJson(await readBody(request, parts.maxBodyBytes)));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw RequestInvalid({ problem: `${issue?.path.join('.')}: ${issue?.message}` });
  }
  const { key, offset, byte_size: byteSize } = parsed.data;
  parts.memory.register({ name, key, offset, byteSize });
  return { json: {} };
}

function modelRoute(
  { serving }: HttpParts,
  name: string,
  version: string | undefined,
  what: string | undefined,
): Answer {
  const served = serving.model(name, version);
  switch (what) {
    case 'ready':
      return { status: served.pool.alive ? 200 : 503, json: {} };
    case 'stats':
      return { json: { model_stats: [modelStatistics(served)] } };
    case 'config':
      return { json: modelConfig(served) };
    default:
      return { json: modelMetadata(served) };
  }
}

async function fixedRoute({ serving, metrics }: HttpParts, method: string, path: string): Promise<Answer> {
  switch (path) {
    case '/v2/health/live':
      return { json: {} };
    case '/v2/health/ready':
      return { status: serving.healthy ? 200 : 503, json: {} };
    case '/v2':
      return { json: serverMetadata(serving) };
    case '/v2/models/stats':
      return { json: { model_stats: serving.served ? [modelStatistics(serving.served)] : [] } };
    case '/health':
      return {
        status: serving.healthy ? 200 : 503,
        json: { healthy: serving.healthy, model: serving.served?.name ?? null, digest: serving.served?.digest ?? null },
      };
    case '/metrics':
      return { body: Buffer.from(await metrics.text()), headers: { 'content-type': 'text/plain; version=0.0.4' } };
    default:
      throw RouteNotFound({ method, path });
  }
}

interface Address {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly memory: RegExpExecArray | null;
  readonly model: RegExpExecArray | null;
  readonly name: string | undefined;
  readonly version: string | undefined;
}

/** What a request's target means; clients ask the same few again and again. @throws ESP_REQUEST_INVALID */
const addressOf = memo((target): Address => {
  const { pathname, searchParams: query } = new URL(target, 'http://agent');
  const path = pathname.length > 1 ? pathname.replace(/\/$/, '') : pathname;
  const model = path === '/v2/models/stats' ? null : MODEL.exec(path);
  const names = { name: decoded(model?.[1]), version: decoded(model?.[2]) };
  return { path, query, memory: MEMORY.exec(path), model, ...names };
}, 32);

/** @throws coded errors, which become the answer */
export async function route(parts: HttpParts, request: IncomingMessage): Promise<Answer> {
  const method = request.method ?? 'GET';
  const { path, query, memory, model, name, version } = addressOf(request.url ?? '/');
  if (memory && method === (memory[2] === 'status' ? 'GET' : 'POST')) return memoryRoute(parts, memory, request);
  if (method === 'POST' && name && model?.[3] === 'infer') return infer(parts, { name, version, query }, request);
  if (method !== 'GET' && method !== 'HEAD') throw RouteNotFound({ method, path });
  if (name && model?.[3] !== 'infer') return modelRoute(parts, name, version, model?.[3]);
  return fixedRoute(parts, method, path);
}
