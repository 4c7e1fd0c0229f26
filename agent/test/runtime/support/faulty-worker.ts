/** A worker thread that does what a broken runtime would: the first value of a request says what. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Reply, Request, Tensors } from '@espalier/agent/runtime/protocol';
import { serveRequests } from '@espalier/agent/runtime/worker-loop';

const shared = new Map<number, Float32Array>();
const signature = [{ name: 'x', type: 'float32', shape: ['batch', 1] }];

function run(values: Float32Array): Tensors {
  const [order] = values;
  if (order === 1) process.exit(3);
  if (order === 2 && parentPort)
    parentPort.postMessage = () => {
      throw new Error('broken on order');
    };
  if (order === 3) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
  return { x: { type: 'float32', shape: [values.length, 1], data: Float32Array.from(values, (value) => value * 2) } };
}

async function answer(request: Request): Promise<Reply | null> {
  switch (request.kind) {
    case 'load':
      return { kind: 'loaded', inputs: signature, outputs: signature };
    case 'share':
      shared.set(request.slab.id, new Float32Array(request.slab.inputs[0]!.buffer));
      return null;
    case 'run':
      return { kind: 'outputs', outputs: run(request.feeds.x!.data as Float32Array) };
    default:
      return { kind: 'done' };
  }
}

if (parentPort)
  await serveRequests(parentPort, workerData as SharedArrayBuffer, {
    answer,
    batch: (slab, rows) => run(shared.get(slab)!.subarray(0, rows)),
  });
