import type {
  BuildOptions,
  BuiltVariant,
  ListedGroups,
  PlannedFile,
  Progress,
  TimingPlanOptions,
} from '@espalier/compression';
import type { ErrorBody } from '@espalier/proto';

/** What a worker needs to build one variant: files by path, nothing of the database, nothing that IPC cannot carry. */
export type BuildTask = Omit<BuildOptions, 'seed' | 'signal' | 'now' | 'onProgress'>;

/** What came out; its files lie in the task's `outDir`. */
export type BuildResult = BuiltVariant;
export type { Progress };

/** Each kind of job: its task, and what comes out. */
export interface JobWork {
  readonly 'build-variant': { readonly task: BuildTask; readonly result: BuildResult };
  readonly 'plan-timing': {
    readonly task: Omit<TimingPlanOptions, 'signal' | 'onProgress'>;
    readonly result: readonly PlannedFile[];
  };
}
export type JobKind = keyof JobWork;

/** All that is done in a process of its own: jobs, and short questions that someone waits for. */
export interface Work extends JobWork {
  readonly 'list-groups': { readonly task: { readonly file: string }; readonly result: ListedGroups };
}
export type WorkKind = keyof Work;
export type TaskOf<K extends WorkKind = WorkKind> = { [Kind in K]: { kind: Kind; task: Work[Kind]['task'] } }[K];

export type ToWorker = { type: 'start'; work: TaskOf } | { type: 'cancel' };
export type FromWorker =
  | { type: 'progress'; progress: Progress }
  | { type: 'done'; result: Work[WorkKind]['result'] }
  | { type: 'failed'; error: ErrorBody };
