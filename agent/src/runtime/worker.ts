/** A worker thread that owns one session. It answers one request after another and ends itself on `close`. */
import { parentPort, workerData } from 'node:worker_threads';
import type { RowSpec } from './layout.js';
import { openModel } from './open-model.js';
import type { Reply, Request, SharedSlab, Tensors } from './protocol.js';
import { type Prepared, type Session, SessionLost } from './session.js';
import { elementsOf, viewValues } from './values.js';
import { serveRequests } from './worker-loop.js';

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

function measure(feeds: Tensors, runs: number, forMs: number): number[] {
  const prepared = need().prepare(feeds, {});
  const untilMs = performance.now() + forMs;
  const timesMs: number[] = [];
  while (timesMs.length < runs || performance.now() < untilMs) {
    const from = performance.now();
    prepared.run();
    timesMs.push(performance.now() - from);
  }
  return timesMs;
}

async function answer(request: Request): Promise<Reply | null> {
  switch (request.kind) {
    case 'load':
      session = await openModel(request.file, request.options, request.saveTo ? { saveTo: request.saveTo } : {});
      return {
        ...{ kind: 'loaded', inputs: session.inputs, outputs: session.outputs },
        ...(session.pid === undefined ? {} : { pid: session.pid }),
      };
    case 'run':
      return { kind: 'outputs', outputs: need().run(request.feeds) };
    case 'share':
      slabs.set(request.slab.id, { slab: request.slab, prepared: new Map() });
      return null;
    case 'measure':
      return { kind: 'measured', timesMs: measure(request.feeds, request.runs, request.forMs) };
    case 'ping':
      return { kind: 'done' };
    case 'close':
      slabs.clear();
      session?.close();
      session = null;
      return { kind: 'done' };
  }
}

if (parentPort)
  await serveRequests(parentPort, workerData as SharedArrayBuffer, {
    answer,
    batch: (slab, rows) => prepare(slab, rows).run(),
  }).catch(async (error: Error) => {
    if (error instanceof SessionLost) await error.gone;
    throw error;
  });
