/** A worker thread that does what a broken runtime would: the first value of a request says what. */
import { parentPort } from 'node:worker_threads';

const shared = new Map<number, Float32Array>();
const signature = [{ name: 'x', type: 'float32', shape: ['batch', 1] }];

parentPort?.on('message', (request) => {
  if (request.kind === 'load')
    return parentPort?.postMessage({ id: request.id, kind: 'loaded', inputs: signature, outputs: signature });
  if (request.kind === 'share') {
    shared.set(request.slab.id, new Float32Array(request.slab.inputs[0].buffer));
    return;
  }
  if (request.kind === 'close') {
    parentPort?.postMessage({ id: request.id, kind: 'done' });
    parentPort?.close();
    return;
  }
  const values = request.kind === 'batch' ? shared.get(request.slab)!.subarray(0, request.rows) : request.feeds.x.data;
  const [order] = values;
  if (order === 1) process.exit(3);
  if (order === 2) throw new Error('broken on order');
  if (order === 3) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
  const outputs = {
    x: { type: 'float32', shape: [values.length, 1], data: Float32Array.from(values, (value) => value * 2) },
  };
  parentPort?.postMessage({ id: request.id, kind: request.kind === 'batch' ? 'batched' : 'outputs', outputs });
});
