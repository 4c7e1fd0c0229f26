import fs from 'node:fs';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import { MessageSplitter } from './message-splitter.js';

/**
 * The embedded database, in a thread of its own so that a slow query never stops the event loop of the controller.
 * Bytes of the PostgreSQL wire protocol come in over a port for each connection, and go back the same way.
 */

type NodeFileSystem = { stream_ops: Record<string, unknown> };
/** Emscripten lists its file systems in one place or the other, depending on how it was built. */
type ModuleWithFs = { FS: { filesystems?: { NODEFS?: NodeFileSystem } }; NODEFS: NodeFileSystem };

/** NodeFS has no fsync of its own, so that a commit would reach the disk when the system pleases. */
class DurableNodeFS extends NodeFS {
  override async init(...args: Parameters<NodeFS['init']>): ReturnType<NodeFS['init']> {
    const result = await super.init(...args);
    result.emscriptenOpts.preRun?.push((module: unknown) => {
      const { FS, NODEFS } = module as ModuleWithFs;
      (FS.filesystems?.NODEFS ?? NODEFS).stream_ops.fsync = (stream: { nfd?: number }) => {
        if (stream.nfd !== undefined) fs.fsyncSync(stream.nfd);
        return 0;
      };
    });
    return result;
  }
}

const { directory } = workerData as { directory: string };
const port = parentPort!;
try {
  const database = await PGlite.create({
    fs: new DurableNodeFS(directory),
    // -F turns fsync off; fdatasync, the default method, does nothing in WebAssembly.
    startParams: [
      ...PGlite.defaultStartParams.filter((parameter) => parameter !== '-F'),
      ...['-c', 'fsync=on', '-c', 'wal_sync_method=fsync'],
    ],
  });
  let queue: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = queue.then(work);
    queue = result.catch(() => undefined);
    return result;
  };
  port.on('message', (message: { connection: MessagePort } | 'close') => {
    if (message === 'close') {
      void inTurn(() => database.close()).finally(() => port.postMessage({ closed: true }));
      return;
    }
    serve(database, message.connection, inTurn);
  });
  port.postMessage({ ready: true });
} catch (error) {
  port.postMessage({ failed: error instanceof Error ? error.message : JSON.stringify(error) });
}

/** One connection: the server has a single session, so a connection that ends must leave no transaction behind. */
function serve(database: PGlite, connection: MessagePort, inTurn: (work: () => Promise<void>) => Promise<void>): void {
  const splitter = new MessageSplitter();
  connection.on('message', (chunk: Uint8Array) => {
    void inTurn(async () => {
      const answers: Uint8Array[] = [];
      for (const message of splitter.push(chunk)) {
        if (message.terminate) break;
        answers.push(await database.execProtocolRaw(message.bytes));
      }
      connection.postMessage(Buffer.concat(answers));
    }).catch((error: unknown) => connection.postMessage({ failed: String(error) }));
  });
  connection.on('close', () => {
    void inTurn(async () => {
      await database.exec('ROLLBACK; DEALLOCATE ALL; RESET ALL');
    }).catch(() => undefined);
  });
}
