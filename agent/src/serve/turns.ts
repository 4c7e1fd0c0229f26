/**
 * One request of a connection after another: who pipelines gets no more of the device than who waits for answers, and who
 * does not read them gets nothing more at all.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

interface Turn {
  /** Ends with the answer of the latest request, sent or cut off. */
  over: Promise<void>;
  waiting: number;
}

/** Requests that may wait on one connection; a client that goes on sending is cut off. */
const LONGEST_QUEUE = 100;

export class Turns {
  readonly #turns = new WeakMap<Socket, Turn>();

  /** Null when it is a request's turn at once; else what it waits for. */
  take({ socket }: IncomingMessage, response: ServerResponse): Promise<void> | null {
    const turn = this.#turns.get(socket) ?? { over: Promise.resolve(), waiting: 0 };
    this.#turns.set(socket, turn);
    const before = turn.waiting++ > 0 ? turn.over : null;
    turn.over = new Promise((resolve) =>
      response.once('close', () => {
        turn.waiting--;
        resolve();
      }),
    );
    if (turn.waiting > LONGEST_QUEUE) socket.destroy();
    return before;
  }
}
