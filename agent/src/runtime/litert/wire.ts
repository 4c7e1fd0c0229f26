/**
 * What a worker thread and the process with its LiteRT model say to each other. Tensors lie in a file in shared memory; a run
 * is a byte in one named pipe and a byte back in another. The process makes all three in a folder that it is given, and says on
 * its standard output, in one line, that it is ready or what is wrong.
 */

/** Names in the folder. */
export const [MEMORY, REQUESTS, ANSWERS] = ['memory', 'requests', 'answers'];

/** A tensor with the place it has in shared memory, in bytes. */
export interface Placed {
  readonly spec: { readonly name: string; readonly type: string; readonly shape: number[] };
  readonly offset: number;
  readonly bytes: number;
}

export type Ready =
  | { readonly ok: true; readonly inputs: Placed[]; readonly outputs: Placed[] }
  /** `lacks` says why the runtime cannot be used at all on this device. */
  | { readonly ok: false; readonly message: string; readonly lacks?: string };

/** Answers to a run. */
export const DONE = 0;
export const FAILED = 1;

/** LiteRT wants the memory of its tensors aligned so. */
const ALIGNMENT = 64;

/** Gives tensors places one after another. @param from the first free byte @returns them, and the first free byte behind them */
export function place(
  tensors: readonly { readonly spec: Placed['spec']; readonly bytes: number }[],
  from: number,
): { placed: Placed[]; end: number } {
  let end = from;
  const placed = tensors.map(({ spec, bytes }) => {
    const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    end = offset + bytes;
    return { spec, offset, bytes };
  });
  return { placed, end };
}
