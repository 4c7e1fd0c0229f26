import type {
  BuildOptions,
  Progress as BuildProgress,
  BuiltVariant,
  HardwareProfile,
  ListedGroups,
  PlannedFile,
  TimingPlanOptions,
} from '@espalier/compression';
import type { Works } from '@espalier/compression/latency/plan';
import type { ErrorBody } from '@espalier/proto';

/** What a worker needs to build one variant: files by path, nothing of the database, nothing that IPC cannot carry. */
export type BuildTask = Omit<BuildOptions, 'seed' | 'signal' | 'now' | 'shared' | 'onProgress'>;

/** The variants that one job builds. */
export interface BuildsTask {
  readonly outDir: string;
  readonly parts: readonly { readonly variantId: string; readonly task: BuildTask }[];
}

/** What came out; its files lie in the task's `outDir`. */
export type BuildResult = BuiltVariant;

/** How one part of a job ended. */
export type PartEnd = { readonly built: BuildResult } | { readonly error: ErrorBody };

/** `fraction` is of the whole job; `part` says how far the build under way is. */
export interface Progress extends BuildProgress {
  readonly part?: { readonly variantId: string; readonly fraction: number };
}

/** Each kind of job: its task, and what comes out. */
export interface JobWork {
  /** What was built is handed over part by part. */
  readonly 'build-variant': { readonly task: BuildsTask; readonly result: null };
  readonly 'plan-timing': {
    readonly task: Omit<TimingPlanOptions, 'signal' | 'onProgress'>;
    readonly result: readonly PlannedFile[];
  };
}
export type JobKind = keyof JobWork;

/** All that is done in a process of its own: jobs, and short questions that someone waits for. */
export interface Work extends JobWork {
  readonly 'list-groups': { readonly task: { readonly file: string }; readonly result: ListedGroups };
  readonly 'list-works': {
    readonly task: { readonly file: string; readonly profile: HardwareProfile };
    readonly result: Works;
  };
}
export type WorkKind = keyof Work;
export type TaskOf<K extends WorkKind = WorkKind> = { [Kind in K]: { kind: Kind; task: Work[Kind]['task'] } }[K];

/** `taken`: the part that ended last is stored, so its files may go. */
export type ToWorker = { type: 'start'; work: TaskOf } | { type: 'taken' } | { type: 'cancel' };
export type FromWorker =
  | { type: 'progress'; progress: Progress }
  | { type: 'part'; variantId: string; end: PartEnd }
  | { type: 'done'; result: Work[WorkKind]['result'] }
  | { type: 'failed'; error: ErrorBody };
