import type { HardwareProfile } from '@espalier/compression';
import type { ArtifactFile, ErrorBody, Preprocess, Report, SessionOptions, TensorSpec } from '@espalier/proto';

/** What a worker needs to build one variant: files by path, nothing of the database. */
export interface BuildTask {
  readonly modelPath: string;
  readonly modelName: string;
  readonly profile: HardwareProfile;
  readonly recipe: 'float' | 'int8';
  readonly calibrate: string | null;
  readonly evaluate: string | null;
  readonly preprocess: Preprocess | null;
  readonly outDir: string;
}

export interface Progress {
  readonly step: string;
  readonly stepIndex: number;
  readonly steps: number;
  readonly fraction: number;
  readonly message?: string;
}

/** What came out; its files lie in the task's `outDir`. */
export interface BuildResult {
  readonly files: ArtifactFile[];
  readonly entry: string;
  readonly inputs: TensorSpec[];
  readonly outputs: TensorSpec[];
  readonly sessionOptions: SessionOptions;
  readonly golden: { path: string; tolerance: Record<string, number> };
  readonly report: Report;
  readonly kept: 'float' | 'int8';
}

export type ToWorker = { type: 'build'; task: BuildTask } | { type: 'cancel' };
export type FromWorker =
  | { type: 'progress'; progress: Progress }
  | { type: 'done'; result: BuildResult }
  | { type: 'failed'; error: ErrorBody };
