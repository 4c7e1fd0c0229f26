/** What passes between a training and its workers: memory is shared, messages only say when. */
import type { SessionOptions } from '@espalier/proto';

/** Shared float32 memory and the shape in which the session reads or writes it. */
export interface SharedTensor {
  readonly buffer: SharedArrayBuffer;
  readonly dims: readonly number[];
}
export type SharedTensors = Readonly<Record<string, SharedTensor>>;

/** The teacher that runs before each step on the same input. */
export interface TeacherSetup {
  readonly model: Uint8Array;
  readonly input: string;
  /** Which of its outputs becomes which input of the training graph. */
  readonly feeds: readonly { readonly output: string; readonly input: string }[];
}

export interface WorkerSetup {
  readonly model: Uint8Array;
  readonly options: SessionOptions;
  readonly input: string;
  /** Inputs that are the same in every step's memory: the parameters, the temperature. */
  readonly shared: SharedTensors;
  /** Inputs of one step each; while one is computed the other is filled. */
  readonly slots: readonly SharedTensors[];
  readonly outputs: SharedTensors;
  readonly teacher: TeacherSetup | null;
}

export type WorkerAnswer = { readonly ready: true } | { readonly done: true } | { readonly failed: string };

/** Float32 memory that threads share. */
export const sharedTensor = (dims: readonly number[]): SharedTensor => ({
  dims,
  buffer: new SharedArrayBuffer(4 * dims.reduce((product, size) => product * size, 1)),
});

export const viewOf = ({ buffer }: SharedTensor): Float32Array => new Float32Array(buffer);
