/**
 * HTTP/1.1 over a Unix socket, as much of it as an agent on the same machine speaks: one request at a time on a connection,
 * answers of a known length. node:http does the same in a tenth of a millisecond more when a process has slept before, as one
 * that waits for an inference has: that is as long as a small inference takes.
 */
import net from 'node:net';

export interface RawResponse {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

interface Waiting {
  resolve(response: RawResponse): void;
  reject(error: Error): void;
}

const HEAD_END = '\r\n\r\n';

/** An answer's head; null while it is not complete. @throws when it is none */
export function parseHead(received: Buffer): { status: number; headers: Record<string, string>; bytes: number } | null {
  const end = received.indexOf(HEAD_END);
  if (end < 0) return null;
  const [first = '', ...lines] = received.toString('latin1', 0, end).split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]);
  if (Number.isNaN(status)) throw new Error(`the answer begins with ${first.slice(0, 40)}`);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { status, headers, bytes: end + HEAD_END.length };
}

class Connection {
  readonly #socket: net.Socket;
  #waiting: Waiting | null = null;
  #received: Buffer[] = [];
  #bytes = 0;
  #head: ReturnType<typeof parseHead> = null;
  isOpen = true;

  /** @param onFree called when another request may be sent */
  constructor(
    file: string,
    private readonly onFree: (connection: Connection) => void,
  ) {
    this.#socket = net.connect(file);
    this.#socket.on('data', (part) => this.#take(part));
    this.#socket.on('error', (error) => this.#end(error));
    this.#socket.on('close', () => this.#end(new Error('the connection ended before the answer')));
  }

  send(parts: readonly Uint8Array[], waiting: Waiting): void {
    this.#waiting = waiting;
    this.#socket.ref();
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part);
    this.#socket.uncork();
  }

  destroy(error?: Error): void {
    this.#socket.destroy();
    this.#end(error ?? new Error('the client was closed'));
  }

  #take(part: Buffer): void {
    this.#received.push(part);
    this.#bytes += part.length;
    try {
      if (!this.#head) {
        if (this.#received.length > 1) this.#received = [Buffer.concat(this.#received)];
        this.#head = parseHead(this.#received[0]!);
      }
      if (this.#head) this.#answer(this.#head);
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  #answer({ status, headers, bytes }: NonNullable<ReturnType<typeof parseHead>>): void {
    const length = headers['content-length'];
    if (length === undefined) throw new Error('the answer does not say its length');
    const end = bytes + Number(length);
    if (this.#bytes < end) return;
    const all = this.#received.length === 1 ? this.#received[0]! : Buffer.concat(this.#received);
    const waiting = this.#waiting;
    this.#waiting = this.#head = null;
    this.#received = [];
    this.#bytes = 0;
    // A client that only keeps connections may end.
    this.#socket.unref();
    if (headers.connection === 'close') this.destroy();
    else this.onFree(this);
    waiting?.resolve({ status, headers, body: all.subarray(bytes, end) });
  }

  #end(error: Error): void {
    this.isOpen = false;
    this.#waiting?.reject(error);
    this.#waiting = null;
  }
}

export class UnixConnections {
  #free: Connection[] = [];
  readonly #all = new Set<Connection>();

  constructor(private readonly file: string) {}

  /** @throws what the socket says, or the signal's reason */
  async send(parts: readonly Uint8Array[], signal?: AbortSignal): Promise<RawResponse> {
    signal?.throwIfAborted();
    const kept = this.#kept();
    if (!kept) return this.#on(this.#open(), parts, signal);
    return this.#on(kept, parts, signal).catch((error: NodeJS.ErrnoException) => {
      // The agent ends connections that were idle; one that it was just ending has taken nothing.
      if (signal?.aborted || !['EPIPE', 'ECONNRESET'].includes(error.code ?? '')) throw error;
      return this.#on(this.#open(), parts, signal);
    });
  }

  close(): void {
    for (const connection of this.#all) connection.destroy();
    this.#all.clear();
    this.#free = [];
  }

  #on(connection: Connection, parts: readonly Uint8Array[], signal?: AbortSignal): Promise<RawResponse> {
    return new Promise((resolve, reject) => {
      const abort = (): void => connection.destroy(signal?.reason as Error);
      signal?.addEventListener('abort', abort, { once: true });
      const done = (): void => signal?.removeEventListener('abort', abort);
      connection.send(parts, {
        resolve: (response) => {
          done();
          resolve(response);
        },
        reject: (error) => {
          done();
          this.#all.delete(connection);
          reject(error);
        },
      });
    });
  }

  #kept(): Connection | null {
    for (let one = this.#free.pop(); one; one = this.#free.pop()) {
      if (one.isOpen) return one;
      this.#all.delete(one);
    }
    return null;
  }

  #open(): Connection {
    const connection = new Connection(this.file, (free) => this.#free.push(free));
    this.#all.add(connection);
    return connection;
  }
}
