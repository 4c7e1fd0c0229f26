/** The one seam between the agent and what computes: a model that is opened, run, and closed, whichever runtime does it. */
import type { TensorSpec } from '@espalier/proto';
import type { Tensors } from './protocol.js';

/** The process that computed has ended; the session is of no use any more. */
export class SessionLost extends Error {
  constructor(
    message: string,
    /** Resolves when the process was waited for, so that nothing of it is left. */
    readonly gone: Promise<unknown>,
  ) {
    super(message);
  }
}

export interface Session {
  /** The process that computes, where it is one of its own. */
  readonly pid?: number;
  readonly inputs: TensorSpec[];
  readonly outputs: TensorSpec[];
  /** @throws SessionLost */
  run(feeds: Tensors): Tensors;
  /** Binds tensors to run again and again; outputs with memory of their own are written there. */
  prepare(feeds: Tensors, into: Tensors): Prepared;
  /** Ends the trace that was asked for when it was opened, if the runtime writes one. */
  endProfiling(): void;
  close(): void;
}

export interface Prepared {
  /** Runs on what the bound memory holds now. Gives the outputs, or null when all of them went into bound memory. */
  run(): Tensors | null;
}

/** What a session writes to disk. */
export interface SessionFiles {
  /** Where the model is saved as it runs here, under the name {@link PREPARED} of onnx.ts, by runtimes that can. */
  readonly saveTo?: string;
  /** Where the runtime's profiler writes its trace, when the session ends it. */
  readonly profilePrefix?: string;
}
