/** A training worker: runs the training graph on its part of a batch whenever it is told to. */
import { parentPort, workerData } from 'node:worker_threads';
import { Tensor } from 'onnxruntime-node';
import { Session } from '../runtime/session.js';
import { type SharedTensors, viewOf, type WorkerAnswer, type WorkerSetup } from './worker-protocol.js';

const setup = workerData as WorkerSetup;
const port = parentPort!;
const answer = (message: WorkerAnswer): void => port.postMessage(message);

const tensorsOf = (shared: SharedTensors): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(shared).map(([name, tensor]) => [
      name,
      // The runtime reads shared memory as it reads any other; its types do not know that.
      new Tensor('float32', viewOf(tensor) as Float32Array<ArrayBuffer>, [...tensor.dims]),
    ]),
  );

async function start(): Promise<void> {
  const session = await Session.open(setup.model, 'the training graph', setup.options);
  const { teacher } = setup;
  const taught = teacher && (await Session.open(teacher.model, 'the teacher', setup.options));
  const shared = tensorsOf(setup.shared);
  const slots = setup.slots.map((slot) => ({ ...tensorsOf(slot), ...shared }) as Record<string, Tensor>);
  const outputs = tensorsOf(setup.outputs);
  port.on('message', async (slot: number) => {
    try {
      const feeds = { ...slots[slot]! };
      if (teacher && taught) {
        const made = await taught.run({ [teacher.input]: feeds[setup.input]! });
        for (const { output, input } of teacher.feeds) feeds[input] = made[output]!;
      }
      await session.run(feeds, outputs);
      answer({ done: true });
    } catch (error) {
      answer({ failed: (error as Error).message });
    }
  });
  answer({ ready: true });
}

start().catch((error: unknown) => answer({ failed: (error as Error).message }));
