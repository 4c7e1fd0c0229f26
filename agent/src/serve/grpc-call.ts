/** One call of a gRPC client on its HTTP/2 stream: requests in, answers and a status out. */
import { constants as h2, type ServerHttp2Stream } from 'node:http2';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import {
  type Framed,
  frame,
  GrpcStatus,
  headerText,
  MessageReader,
  MessageTooLarge,
  timeoutMs,
} from './grpc-framing.js';

export interface Refusal {
  readonly code: number;
  readonly message: string;
  /** Trailers beside the status. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** One call, as a method sees it. */
export interface Call<A> {
  /** Until when the client waits, on the server's clock; null for as long as it takes. */
  readonly deadlineMs: number | null;
  /** Sends an answer; its memory is free again when this returns. */
  send(answer: A): void;
}

export interface Method<Q, A> {
  readonly path: string;
  readonly requestStream: boolean;
  requestDeserialize(bytes: Buffer): Q;
  responseSerialize(answer: A): Uint8Array;
}

/** Answers one request of a call; what it throws ends the call. */
export type Handler<Q, A> = (request: Q, call: Call<A>) => void | Promise<void>;

export interface Route {
  readonly method: Method<unknown, unknown>;
  readonly handle: Handler<unknown, unknown>;
}

export interface CallParts {
  readonly maxMessageBytes: number;
  readonly refusalOf: (error: unknown) => Refusal;
  readonly now: () => number;
}

const HEADERS = { ':status': 200, 'content-type': 'application/grpc', 'grpc-accept-encoding': 'identity,gzip,deflate' };
const unpack = { gzip: promisify(zlib.gunzip), deflate: promisify(zlib.inflate) } as const;

const trailersOf = ({ code, message, metadata }: Refusal): Record<string, string> => ({
  ...{ 'grpc-status': String(code), ...metadata },
  ...(message ? { 'grpc-message': headerText(message) } : {}),
});

/** Ends a call that has sent nothing yet. */
export function end(stream: ServerHttp2Stream, refusal: Refusal): void {
  stream.respond({ ...HEADERS, ...trailersOf(refusal) }, { endStream: true });
  // The client may still be sending: it need not.
  if (!stream.readableEnded) stream.close(h2.NGHTTP2_NO_ERROR);
}

export class ServerCall implements Call<unknown> {
  readonly deadlineMs: number | null;
  readonly #reader: MessageReader;
  #open = 0;
  #isReceived = false;
  #isOver = false;

  constructor(
    private readonly stream: ServerHttp2Stream,
    private readonly headers: Readonly<Record<string, unknown>>,
    private readonly route: Route,
    private readonly parts: CallParts,
  ) {
    const forMs = timeoutMs(headers['grpc-timeout'] as string | undefined);
    this.deadlineMs = forMs === null ? null : parts.now() + forMs;
    this.#reader = new MessageReader(parts.maxMessageBytes);
  }

  receive(): void {
    this.stream.on('data', (chunk: Buffer) => {
      try {
        for (const message of this.#isOver ? [] : this.#reader.push(chunk)) this.#take(message);
      } catch (error) {
        this.#refuse(error);
      }
    });
    this.stream.on('end', () => {
      this.#isReceived = true;
      if (this.#reader.isAmidst)
        this.#finish({ code: GrpcStatus.INTERNAL, message: 'the request ended amidst a message' });
      else this.#finishIfDone();
    });
  }

  send(answer: unknown): void {
    if (this.#isOver || this.stream.destroyed) return;
    const bytes = frame(this.route.method.responseSerialize(answer));
    if (!this.stream.headersSent) this.stream.respond(HEADERS, { waitForTrailers: true });
    if (!this.route.method.requestStream) this.#finish({ code: GrpcStatus.OK, message: '' }, bytes);
    else if (!this.stream.write(bytes)) this.#waitForReader();
  }

  /** A reader that does not keep up is not sent for: nothing more is taken from it until it has read. */
  #waitForReader(): void {
    this.stream.pause();
    this.stream.once('drain', () => this.stream.resume());
  }

  #take({ isCompressed, bytes }: Framed): void {
    this.#open++;
    const { method, handle } = this.route;
    const run = (plain: Buffer): void | Promise<void> => handle(method.requestDeserialize(plain), this);
    const answered = isCompressed ? this.#unpacked(bytes).then(run) : run(bytes);
    void Promise.resolve(answered).then(
      () => {
        this.#open--;
        this.#finishIfDone();
      },
      (error: unknown) => this.#refuse(error),
    );
  }

  /** @throws MessageTooLarge when it would become so */
  async #unpacked(bytes: Buffer): Promise<Buffer> {
    const encoding = String(this.headers['grpc-encoding']);
    if (encoding !== 'gzip' && encoding !== 'deflate') throw new Error(`grpc-encoding is ${encoding}`);
    return unpack[encoding](bytes, { maxOutputLength: this.parts.maxMessageBytes }).catch((error: unknown) => {
      throw (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? new MessageTooLarge() : error;
    });
  }

  #refuse(error: unknown): void {
    const { maxMessageBytes, refusalOf } = this.parts;
    const tooLarge = {
      code: GrpcStatus.RESOURCE_EXHAUSTED,
      message: `the message is larger than ${maxMessageBytes} bytes`,
    };
    this.#finish(error instanceof MessageTooLarge ? tooLarge : refusalOf(error));
  }

  #finishIfDone(): void {
    if (this.#isReceived && this.#open === 0) this.#finish({ code: GrpcStatus.OK, message: '' });
  }

  #finish(refusal: Refusal, last?: Buffer): void {
    if (this.#isOver || this.stream.destroyed) return;
    this.#isOver = true;
    if (!this.stream.headersSent) end(this.stream, refusal);
    else {
      this.stream.once('wantTrailers', () => this.stream.sendTrailers(trailersOf(refusal)));
      this.stream.end(last);
    }
  }
}
