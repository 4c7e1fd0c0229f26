/** All endpoints of the agent, started and stopped together: HTTP and gRPC, on TCP and on Unix sockets. */
import type { Server } from 'node:http';
import net from 'node:net';
import { PortTaken } from '../errors.js';
import { listenGrpc } from './grpc.js';
import { type HttpParts, listen, listenUnix } from './http.js';

export interface EndpointSettings {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  /** 0 takes any free one, undefined the one after `port` or else a free one; null serves no gRPC. */
  readonly grpcPort: number | null | undefined;
  readonly socket: string | undefined;
  readonly grpcSocket: string | undefined;
}

export interface Endpoints {
  readonly port: number;
  readonly grpcPort: number | null;
  /** Takes nothing new; what is under way is answered within the time, then cut off. */
  close(graceMs: number): Promise<void>;
}

const UNDER_WAY_MS = 200;

const QUIET_MS = 50;
const ARRIVALS_MS = 500;

/**
 * Resolves when nobody has connected for a moment, or after half a second. A connection that the kernel has made and the
 * program has not yet accepted is reset when listening ends, with the request that is on its way.
 */
async function lastArrivals(servers: readonly Server[]): Promise<void> {
  let lastMs = performance.now();
  const arrived = (): void => {
    lastMs = performance.now();
  };
  for (const one of servers) one.on('connection', arrived);
  for (const untilMs = lastMs + ARRIVALS_MS; performance.now() < Math.min(untilMs, lastMs + QUIET_MS); )
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS / 5));
}

/** Resolves when all connections have ended. The close of an HTTP server would reset those whose request is under way. */
const stopListening = (server: Server): Promise<void> =>
  new Promise((resolve) => net.Server.prototype.close.call(server, () => resolve()));

/** @throws ESP_PORT_TAKEN */
export async function openEndpoints(parts: HttpParts, settings: EndpointSettings): Promise<Endpoints> {
  const { host, socket } = settings;
  const { server, port } = await listen(parts, host, settings.port);
  const servers: Server[] = [server];
  try {
    if (socket) servers.push(await listenUnix(parts, socket));
    const grpc = await openGrpc(parts, settings, port);
    const close = async (graceMs: number): Promise<void> => {
      await lastArrivals(servers);
      const cut = setTimeout(() => {
        for (const one of servers) one.closeAllConnections();
        grpc?.server.cut();
      }, graceMs);
      const closed = servers.map((one) => stopListening(one));
      // A connection without a request may have one under way.
      const idle = setTimeout(() => {
        for (const one of servers) one.closeIdleConnections();
      }, UNDER_WAY_MS);
      if (grpc) closed.push(grpc.server.close());
      await Promise.all(closed);
      clearTimeout(cut);
      clearTimeout(idle);
    };
    return { port, grpcPort: grpc?.port ?? null, close };
  } catch (error) {
    for (const one of servers) one.close();
    throw error;
  }
}

/** A port that nobody has asked for gives way when it is taken: HTTP must not fail for it. */
async function openGrpc(
  parts: HttpParts,
  { host, grpcPort, grpcSocket: socket }: EndpointSettings,
  port: number,
): Promise<Awaited<ReturnType<typeof listenGrpc>> | null> {
  if (grpcPort === null) return null;
  if (grpcPort !== undefined) return listenGrpc(parts, { host, port: grpcPort, socket });
  return listenGrpc(parts, { host, port: port + 1, socket }).catch((error: unknown) => {
    if (!PortTaken.is(error)) throw error;
    parts.log.warn({ port: port + 1 }, 'the port for gRPC is taken, another one is used');
    return listenGrpc(parts, { host, port: 0, socket });
  });
}
