/** What every worker thread does: take the next request, answer it, stand still until there is another. */
import { type MessagePort, receiveMessageOnPort, type Transferable } from 'node:worker_threads';
import type { CodedError } from '@espalier/proto';
import { Doorstep, type PostedBatch } from './doorbell.js';
import { BATCH_DONE, type Numbered, type Reply, type Request, type Tensors } from './protocol.js';
import { SessionLost } from './session.js';

export interface RequestHandler {
  /** Null where nothing is to be said. */
  answer(request: Request): Promise<Reply | null>;
  /** Runs the first rows of a slab; null when all outputs lie in it. */
  batch(slab: number, rows: number): Tensors | null;
}

/** @throws SessionLost: the thread ends with its session, and who waits is told so */
function failed(error: unknown): Reply {
  if (error instanceof SessionLost) throw error;
  return {
    ...{ kind: 'failed', message: (error as Error).message },
    // Coded errors do not cross threads as such: this one is made again on the other side.
    ...((error as CodedError).code === 'ESP_RUNTIME_UNAVAILABLE'
      ? { lacks: (error as CodedError).details as { runtime: string; cause: string } }
      : {}),
  };
}

const ownedBy = (reply: Reply): ArrayBuffer[] => {
  const outputs = reply.kind === 'outputs' ? reply.outputs : null;
  return [...new Set(Object.values(outputs ?? {}).map(({ data }) => data.buffer as ArrayBuffer))];
};

/** Answers until it is told to close. @throws SessionLost. The numbers of batches are not sent: they are answered in the order they came. */
export async function serveRequests(port: MessagePort, memory: SharedArrayBuffer, by: RequestHandler): Promise<void> {
  const door = new Doorstep(memory);
  const reply = (answer: Reply, id: number): void =>
    port.postMessage({ ...answer, id } satisfies Numbered<Reply>, ownedBy(answer) as Transferable[]);
  const batch = ({ slab, rows }: PostedBatch): void => {
    let answer: Reply | null;
    try {
      const outputs = by.batch(slab, rows);
      answer = outputs && { kind: 'outputs', outputs };
    } catch (error) {
      answer = failed(error);
    }
    const isWaitedFor = door.answered(answer === null);
    if (answer) reply(answer, BATCH_DONE);
    else if (isWaitedFor) port.postMessage(BATCH_DONE);
  };
  for (let isOpen = true; isOpen; ) {
    const next = door.next();
    if (next === 'message') {
      const { message: request } = receiveMessageOnPort(port) as { readonly message: Numbered<Request> };
      // Whoever closes has batches here still.
      if (request.kind === 'close') for (let left = door.batch(); left; left = door.batch()) batch(left);
      const answer = await by.answer(request).catch(failed);
      if (answer) reply(answer, request.id);
      isOpen = request.kind !== 'close';
    } else batch(next);
  }
  port.close();
}
