/** A worker thread that owns one session. It answers one request after another and ends itself on `close`. */
import { parentPort, type Transferable } from 'node:worker_threads';
import { benchmark } from './benchmark.js';
import { openSession, type Session } from './onnx.js';
import type { Numbered, Reply, Request } from './protocol.js';

let session: Session | null = null;

const need = (): Session => {
  if (!session) throw new Error('no model is loaded');
  return session;
};

async function answer(request: Request): Promise<Reply> {
  switch (request.kind) {
    case 'load':
      session = await openSession(request.file, request.options);
      return { kind: 'loaded', inputs: session.inputs, outputs: session.outputs };
    case 'run':
      return { kind: 'outputs', outputs: await need().run(request.feeds) };
    case 'benchmark':
      return { kind: 'benchmarked', result: await benchmark(need(), request.plan, () => performance.now()) };
    case 'ping':
      return { kind: 'done' };
    case 'close':
      await session?.close();
      session = null;
      return { kind: 'done' };
  }
}

let queue = Promise.resolve();
parentPort?.on('message', (request: Numbered<Request>) => {
  queue = queue.then(async () => {
    const reply: Reply = await answer(request).catch((error: Error) => ({ kind: 'failed', message: error.message }));
    const owned =
      reply.kind === 'outputs' ? Object.values(reply.outputs).map(({ data }) => data.buffer as ArrayBuffer) : [];
    parentPort?.postMessage({ ...reply, id: request.id }, [...new Set(owned)] as Transferable[]);
    if (request.kind === 'close') parentPort?.close();
  });
});
