/** A worker thread that owns one session. It answers one request after another and ends itself on `close`. */
import { parentPort, type Transferable } from 'node:worker_threads';
import type { RowSpec } from './layout.js';
import { openSession, type Prepared, type Session } from './onnx.js';
import type { Numbered, Reply, Request, SharedSlab, Tensors } from './protocol.js';
import { elementsOf, viewValues } from './values.js';

let session: Session | null = null;
const slabs = new Map<number, { readonly slab: SharedSlab; readonly prepared: Map<number, Prepared> }>();

const need = (): Session => {
  if (!session) throw new Error('no model is loaded');
  return session;
};

const leading = (tensors: SharedSlab['inputs'], rows: number): Tensors =>
  Object.fromEntries(
    tensors.map(({ row: { name, type, shape }, buffer }: { row: RowSpec; buffer: SharedArrayBuffer }) => [
      name,
      { type, shape: [rows, ...shape], data: viewValues(type, buffer, 0, rows * elementsOf(shape)) },
    ]),
  );

/** The first rows of a slab as ONNX Runtime's tensors; made once for each number of rows. */
function prepare(id: number, rows: number): Prepared {
  const known = slabs.get(id);
  if (!known) throw new Error(`slab ${id} was not shared with this worker`);
  let prepared = known.prepared.get(rows);
  if (!prepared) {
    prepared = need().prepare(leading(known.slab.inputs, rows), leading(known.slab.outputs, rows));
    known.prepared.set(rows, prepared);
  }
  return prepared;
}

async function measure(feeds: Tensors, runs: number, forMs: number): Promise<number[]> {
  const prepared = need().prepare(feeds, {});
  const untilMs = performance.now() + forMs;
  const timesMs: number[] = [];
  while (timesMs.length < runs || performance.now() < untilMs) {
    const from = performance.now();
    await prepared.run();
    timesMs.push(performance.now() - from);
  }
  return timesMs;
}

async function answer(request: Request): Promise<Reply | null> {
  switch (request.kind) {
    case 'load':
      session = await openSession(request.file, request.options);
      return { kind: 'loaded', inputs: session.inputs, outputs: session.outputs };
    case 'run':
      return { kind: 'outputs', outputs: await need().run(request.feeds) };
    case 'share':
      slabs.set(request.slab.id, { slab: request.slab, prepared: new Map() });
      return null;
    case 'batch':
      return { kind: 'batched', outputs: await prepare(request.slab, request.rows).run() };
    case 'measure':
      return { kind: 'measured', timesMs: await measure(request.feeds, request.runs, request.forMs) };
    case 'ping':
      return { kind: 'done' };
    case 'close':
      slabs.clear();
      await session?.close();
      session = null;
      return { kind: 'done' };
  }
}

const ownedBy = (reply: Reply): ArrayBuffer[] => {
  const outputs = reply.kind === 'outputs' || reply.kind === 'batched' ? reply.outputs : null;
  return [...new Set(Object.values(outputs ?? {}).map(({ data }) => data.buffer as ArrayBuffer))];
};

let queue = Promise.resolve();
parentPort?.on('message', (request: Numbered<Request>) => {
  queue = queue.then(async () => {
    const reply = await answer(request).catch((error: Error): Reply => ({ kind: 'failed', message: error.message }));
    if (reply) parentPort?.postMessage({ ...reply, id: request.id }, ownedBy(reply) as Transferable[]);
    if (request.kind === 'close') parentPort?.close();
  });
});
