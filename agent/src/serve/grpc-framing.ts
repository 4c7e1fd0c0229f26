/** gRPC's messages as they lie in an HTTP/2 stream, and what its headers say [gRPC over HTTP2]. Pure. */

/** Status codes in use [google.rpc.Code]. */
export const GrpcStatus = {
  ...{ OK: 0, INVALID_ARGUMENT: 3, DEADLINE_EXCEEDED: 4, NOT_FOUND: 5, RESOURCE_EXHAUSTED: 8 },
  ...{ UNIMPLEMENTED: 12, INTERNAL: 13, UNAVAILABLE: 14 },
} as const;

/** A compressed-flag and a length come before every message. */
const PREFIX_BYTES = 5;

export interface Framed {
  readonly isCompressed: boolean;
  readonly bytes: Buffer;
}

export class MessageTooLarge extends Error {
  override readonly name = 'MessageTooLarge';
}

/** Takes a stream's chunks and gives its messages. */
export class MessageReader {
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(private readonly limitBytes: number) {}

  /** True when a message has begun and is not complete. */
  get isAmidst(): boolean {
    return this.#bytes > 0;
  }

  /** @throws MessageTooLarge before the message was received */
  push(chunk: Buffer): Framed[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    const messages: Framed[] = [];
    for (let next = this.#next(); next; next = this.#next()) messages.push(next);
    return messages;
  }

  #next(): Framed | null {
    if (this.#bytes < PREFIX_BYTES) return null;
    // The prefix may be split, though it never is by the clients there are.
    if (this.#chunks[0]!.length < PREFIX_BYTES) this.#chunks = [Buffer.concat(this.#chunks)];
    const head = this.#chunks[0]!;
    const end = PREFIX_BYTES + head.readUInt32BE(1);
    if (end - PREFIX_BYTES > this.limitBytes) throw new MessageTooLarge();
    if (this.#bytes < end) return null;
    const all = this.#chunks.length === 1 ? head : Buffer.concat(this.#chunks);
    this.#chunks = all.length > end ? [all.subarray(end)] : [];
    this.#bytes = all.length - end;
    return { isCompressed: head[0] === 1, bytes: all.subarray(PREFIX_BYTES, end) };
  }
}

/** A message with its prefix, uncompressed. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, PREFIX_BYTES);
  return framed;
}

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds that a `grpc-timeout` header leaves; null when it says nothing. */
export function timeoutMs(header: string | readonly string[] | undefined): number | null {
  const [, count, unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(String(header ?? '')) ?? [];
  return count === undefined ? null : Number(count) * UNIT_MS[unit]!;
}

/** A status message as a header carries it: percent-encoded UTF-8. */
export const headerText = (text: string): string =>
  text.toWellFormed().replace(/[^ -$&-~]+/g, (part) => encodeURIComponent(part));
