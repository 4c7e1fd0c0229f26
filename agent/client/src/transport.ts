/** Requests over TCP or a Unix socket, on connections that are kept. */
import http from 'node:http';
import { InferenceError } from './tensors.js';
import { UnixConnections } from './unix-connections.js';

export interface Received {
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

export class Transport {
  readonly #agent = new http.Agent({ keepAlive: true });
  readonly #where: http.RequestOptions = {};
  readonly #unix: UnixConnections | null = null;

  /** @param endpoint http://HOST:PORT, or unix:FILE */
  constructor(endpoint: string) {
    if (endpoint.startsWith('unix:')) this.#unix = new UnixConnections(endpoint.slice('unix:'.length));
    else {
      const { hostname, port } = new URL(endpoint);
      this.#where = { host: hostname.replace(/^\[|\]$/g, ''), port };
    }
  }

  get(path: string): Promise<Received> {
    return this.send('GET', path, null, {});
  }

  /** @throws InferenceError when the answer is not 2xx */
  async send(
    method: string,
    path: string,
    chunks: readonly Uint8Array[] | null,
    headers: http.OutgoingHttpHeaders,
    signal?: AbortSignal,
  ): Promise<Received> {
    const {
      status,
      headers: said,
      body,
    } = this.#unix
      ? await this.#unix.send(rawRequest(method, path, chunks, headers), signal)
      : await this.#http(method, path, chunks, headers, signal);
    if (status >= 200 && status < 300) return { headers: said, body };
    throw failure(status, body, said);
  }

  async #http(
    method: string,
    path: string,
    chunks: readonly Uint8Array[] | null,
    headers: http.OutgoingHttpHeaders,
    signal?: AbortSignal,
  ): Promise<Received & { readonly status: number }> {
    const length = chunks?.reduce((sum, chunk) => sum + chunk.length, 0);
    const sized = length === undefined ? headers : { ...headers, 'content-length': length };
    const options = { ...this.#where, agent: this.#agent, method, path, headers: sized, ...(signal ? { signal } : {}) };
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const request = http.request(options, resolve);
      request.on('error', reject);
      request.cork();
      for (const chunk of chunks ?? []) request.write(chunk);
      request.end();
      request.uncork();
    });
    return { status: response.statusCode ?? 0, headers: response.headers, body: await bodyOf(response) };
  }

  /** Ends the connections that are kept. */
  close(): void {
    this.#agent.destroy();
    this.#unix?.close();
  }
}

/** A request as it goes over a Unix socket. */
function rawRequest(
  method: string,
  path: string,
  chunks: readonly Uint8Array[] | null,
  headers: http.OutgoingHttpHeaders,
): Uint8Array[] {
  let head = `${method} ${path} HTTP/1.1\r\nhost: agent\r\n`;
  for (const [name, value] of Object.entries(headers)) head += `${name}: ${String(value)}\r\n`;
  if (chunks) head += `content-length: ${chunks.reduce((sum, chunk) => sum + chunk.length, 0)}\r\n`;
  return [Buffer.from(`${head}\r\n`, 'latin1'), ...(chunks ?? [])];
}

/** Listeners where an iterator would do: it takes three times as long, and an answer is one chunk. */
const bodyOf = (response: http.IncomingMessage): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    response.on('data', (part: Buffer) => parts.push(part));
    response.on('end', () => resolve(parts.length === 1 ? parts[0]! : Buffer.concat(parts)));
    response.on('error', reject);
  });

function failure(status: number, body: Buffer, headers: http.IncomingHttpHeaders): InferenceError {
  const { code, message, error, details } = parse(body);
  const waitMs = details?.retryAfterMs ?? (headers['retry-after'] ? Number(headers['retry-after']) * 1000 : null);
  return new InferenceError(status, code ?? 'ESP_INTERNAL', message ?? error ?? `status ${status}`, waitMs);
}

interface Failure {
  readonly code?: string;
  readonly message?: string;
  readonly error?: string;
  readonly details?: { readonly retryAfterMs?: number };
}

function parse(body: Buffer): Failure {
  try {
    return JSON.parse(body.toString('utf8')) as Failure;
  } catch {
    return {};
  }
}
