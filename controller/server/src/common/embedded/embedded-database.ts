import { mkdirSync } from 'node:fs';
import { MessageChannel, Worker } from 'node:worker_threads';
import { DatabaseUnreachable } from '../errors.js';
import { PGliteSocket } from './pglite-socket.js';

type FromWorker = { ready: true } | { closed: true } | { failed: string };

/** The embedded database's thread, and sockets into it. */
export class EmbeddedDatabase {
  #closing = false;
  readonly #lost = Promise.withResolvers<string>();

  private constructor(private readonly worker: Worker) {
    worker.on('error', (error: Error) => this.#lost.resolve(error.message));
    worker.on('exit', (code) => {
      if (!this.#closing) this.#lost.resolve(`its thread ended with ${code}`);
    });
  }

  /**
   * Opens (the first time: creates, some seconds) the database in a directory that this process holds the lock of.
   * @throws ESP_DATABASE_UNREACHABLE
   */
  static async open(directory: string): Promise<EmbeddedDatabase> {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const worker = new Worker(new URL('./pglite-worker.js', import.meta.url), {
      workerData: { directory },
      stdout: true,
      stderr: true,
    });
    const reason = await new Promise<string | null>((resolve) => {
      worker.once('message', (message: FromWorker) => resolve('failed' in message ? message.failed : null));
      worker.once('error', (error: Error) => resolve(error.message));
      worker.once('exit', (code) => resolve(`its thread ended with ${code}`));
    });
    if (reason !== null) {
      await worker.terminate();
      throw DatabaseUnreachable({ kind: 'embedded', reason });
    }
    return new EmbeddedDatabase(worker);
  }

  /** A new connection; the server has one session, so use one at a time (pool of 1). */
  readonly socket = (): PGliteSocket => {
    const { port1, port2 } = new MessageChannel();
    this.worker.postMessage({ connection: port2 }, [port2]);
    return new PGliteSocket(port1);
  };

  /** Resolves with the reason when the thread ends without being asked to: without it the controller can do nothing. */
  get lost(): Promise<string> {
    return this.#lost.promise;
  }

  async close(): Promise<void> {
    this.#closing = true;
    const closed = new Promise<void>((resolve) => {
      this.worker.on('message', (message: FromWorker) => 'closed' in message && resolve());
      this.worker.once('exit', () => resolve());
    });
    this.worker.postMessage('close');
    await closed;
    await this.worker.terminate();
  }
}
