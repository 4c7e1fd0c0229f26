/**
 * A gRPC server on node:http2, with as much of gRPC as serving needs: unary and streaming methods, deadlines, compressed
 * requests, statuses. grpc-js does the same through interceptors, filters and a timer for every call, which cost a short
 * inference twice what HTTP does; answers here are serialized at once, so that they may lie in memory that is used again.
 */
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { PortTaken } from '../errors.js';
import { type CallParts, end, type Handler, type Method, type Route, ServerCall } from './grpc-call.js';
import { GrpcStatus } from './grpc-framing.js';

/** A request of some hundred kilobytes comes without waiting for the reader between its parts. */
const WINDOW_BYTES = 4 << 20;
export class GrpcServer {
  readonly #routes = new Map<string, Route>();
  readonly #servers: Http2Server[] = [];
  readonly #sessions = new Set<ServerHttp2Session>();

  constructor(private readonly parts: CallParts) {}

  add<Q, A>(method: Method<Q, A>, handle: Handler<Q, A>): void {
    this.#routes.set(method.path, { method, handle } as Route);
  }

  /** Listens as net.Server.listen would. @returns the port, 0 for a socket's file @throws ESP_PORT_TAKEN naming `where` */
  listen(
    at: { readonly host: string; readonly port: number } | { readonly path: string },
    where: string,
  ): Promise<number> {
    // A client may send as much as it likes at once, as over HTTP: what is bounded is each message, and the queue.
    const server = createServer({
      maxSessionMemory: Number.MAX_SAFE_INTEGER,
      settings: { initialWindowSize: WINDOW_BYTES },
    });
    server.on('session', (session) => {
      session.setLocalWindowSize(WINDOW_BYTES);
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
    });
    server.on('stream', (stream, headers) => this.#serve(stream, headers));
    return new Promise((resolve, reject) => {
      server.once('error', (error) => reject(PortTaken({ where }, { cause: error })));
      server.listen(at, () => {
        this.#servers.push(server);
        const address = server.address();
        resolve(typeof address === 'object' && address ? address.port : 0);
      });
    });
  }

  /** Takes no new calls; resolves when those under way have ended. */
  async close(): Promise<void> {
    const closed = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const session of this.#sessions) session.close();
    await Promise.all(closed);
  }

  /** Ends every connection at once. */
  cut(): void {
    for (const session of this.#sessions) session.destroy();
  }

  #serve(stream: ServerHttp2Stream, headers: Readonly<Record<string, unknown>>): void {
    // Who goes away in the middle of a call is told nothing.
    stream.on('error', () => undefined);
    const route = this.#routes.get(String(headers[':path']));
    if (!String(headers['content-type']).startsWith('application/grpc')) {
      stream.respond({ ':status': 415 }, { endStream: true });
      return;
    }
    if (route) new ServerCall(stream, headers, route, this.parts).receive();
    else end(stream, { code: GrpcStatus.UNIMPLEMENTED, message: `there is no method ${String(headers[':path'])}` });
  }
}
