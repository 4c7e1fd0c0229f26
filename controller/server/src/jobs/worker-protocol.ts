import type { BuildOptions, BuiltVariant, Progress } from '@espalier/compression';
import type { ErrorBody } from '@espalier/proto';

/** What a worker needs to build one variant: files by path, nothing of the database, nothing that IPC cannot carry. */
export type BuildTask = Omit<BuildOptions, 'seed' | 'signal' | 'now' | 'onProgress'>;

/** What came out; its files lie in the task's `outDir`. */
export type BuildResult = BuiltVariant;
export type { Progress };

export type ToWorker = { type: 'build'; task: BuildTask } | { type: 'cancel' };
export type FromWorker =
  | { type: 'progress'; progress: Progress }
  | { type: 'done'; result: BuildResult }
  | { type: 'failed'; error: ErrorBody };
