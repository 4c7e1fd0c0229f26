import { Duplex } from 'node:stream';
import type { MessagePort } from 'node:worker_threads';

/**
 * What the `pg` driver takes for a network socket: the bytes go to the database's thread instead.
 * One chunk out, one answer back, in order.
 */
export class PGliteSocket extends Duplex {
  readonly #port: MessagePort;
  #waiting: ((error?: Error | null) => void) | null = null;

  constructor(port: MessagePort) {
    super();
    this.#port = port;
    port.on('message', (answer: Uint8Array | { failed: string }) => {
      const done = this.#waiting;
      this.#waiting = null;
      if ('failed' in answer) {
        done?.(new Error(answer.failed));
        return;
      }
      if (answer.length > 0) this.push(Buffer.from(answer));
      done?.();
    });
    port.on('close', () => this.push(null));
  }

  /** The driver's calls on a net.Socket. */
  connect(): this {
    process.nextTick(() => this.emit('connect'));
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    this.#port.ref();
    return this;
  }
  unref(): this {
    this.#port.unref();
    return this;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#waiting = done;
    this.#port.postMessage(chunk);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#port.close();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#port.close();
    done(error);
  }
}
