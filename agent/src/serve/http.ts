/** The HTTP server of the agent, on TCP and on a Unix socket. Plain node:http: the agent must stay small. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CodedError, errorBody } from '@espalier/proto';
import type { Log } from '../common/log.js';
import { PortTaken } from '../errors.js';
import { encodeBody } from './body.js';
import type { AgentMetrics } from './metrics.js';
import { route } from './routes.js';
import type { Serving } from './serving.js';
import type { SharedMemory } from './shared-memory.js';
import { Turns } from './turns.js';
import { freeSocket } from './unix-socket.js';

export interface HttpParts {
  readonly serving: Serving;
  readonly metrics: AgentMetrics;
  readonly memory: SharedMemory;
  readonly maxBodyBytes: number;
  readonly log: Log;
  readonly now: () => number;
}

export interface Answer {
  readonly status?: number;
  readonly json?: unknown;
  readonly body?: Buffer;
  readonly headers?: Record<string, string>;
}

/** A client that does not read its answer is cut off after this, so that it holds nothing for ever. */
const IDLE_MS = 60_000;
const DEFAULT_RETRY_MS = 1000;

async function send(response: ServerResponse, answer: Answer, accepted: string | undefined): Promise<void> {
  const { status = 200, json, headers = {} } = answer;
  const plain = answer.body ?? Buffer.from(JSON.stringify(json));
  const type = headers['content-type'] ?? 'application/json';
  const { body, encoding } = await encodeBody(plain, accepted, type !== 'application/octet-stream');
  response.writeHead(status, {
    ...{ 'content-type': type, 'content-length': body.length, ...headers },
    ...(encoding ? { 'content-encoding': encoding } : {}),
  });
  response.end(body);
}

/** The answer to a request that failed. `error` is the protocol's field; the rest is ours. */
function refusal(error: unknown): Answer {
  const status = error instanceof CodedError ? error.status : 500;
  const retryMs =
    error instanceof CodedError ? Number(error.details.retryAfterMs ?? DEFAULT_RETRY_MS) : DEFAULT_RETRY_MS;
  return {
    status,
    json: { error: (error as Error).message, ...errorBody(error) },
    ...(status === 429 || status === 503 ? { headers: { 'retry-after': String(Math.ceil(retryMs / 1000)) } } : {}),
  };
}

function makeServer(parts: HttpParts): Server {
  const turns = new Turns();
  const server = createServer({ noDelay: true }, (request, response) => {
    const accepted = request.headers['accept-encoding'];
    const turn = turns.take(request, response);
    const answered = turn ? turn.then(() => route(parts, request)) : route(parts, request);
    answered
      .catch((error: unknown) => {
        const answer = refusal(error);
        if (answer.status === 500)
          parts.log.error({ error: (error as Error).stack, path: request.url }, 'a request failed');
        // Who still sends a body that was refused reads the answer only after it: the rest is thrown away.
        request.resume();
        return answer;
      })
      .then((answer) => {
        // Who is told not to come again on this connection loses nothing when it ends.
        if (!server.listening) response.shouldKeepAlive = false;
        return send(response, answer, accepted);
      })
      .catch((error: Error) => parts.log.warn({ error: error.message, path: request.url }, 'an answer was not sent'));
  });
  server.setTimeout(IDLE_MS);
  return server;
}

async function bind(server: Server, where: string, start: () => void): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? PortTaken({ where }) : error),
    );
    server.once('listening', resolve);
    start();
  });
}

/** Starts the endpoints; resolves with the port that is listened on. @throws ESP_PORT_TAKEN */
export async function listen(parts: HttpParts, host: string, port: number): Promise<{ server: Server; port: number }> {
  const server = makeServer(parts);
  await bind(server, `Port ${port} on ${host}`, () => void server.listen(port, host));
  return { server, port: (server.address() as AddressInfo).port };
}

/** The same endpoints on a Unix socket. @throws ESP_PORT_TAKEN */
export async function listenUnix(parts: HttpParts, file: string): Promise<Server> {
  await freeSocket(file);
  const server = makeServer(parts);
  await bind(server, file, () => void server.listen(file));
  return server;
}
