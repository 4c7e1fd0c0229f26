import type {
  Alternative,
  ArtifactFile,
  LatencyTable,
  Preprocess,
  Recipe,
  Report,
  SessionOptions,
  TensorSpec,
} from '@espalier/proto';
import type { DetectionOutputs } from '../detection/declaration.js';
import type { HardwareProfile } from '../hardware/profile.js';
import type { Method } from '../quantize/observer.js';
import type { Budgets } from '../search/budgets.js';
import type { Point, Precision } from '../search/points.js';
import type { Shared } from '../share/shared.js';

/** Points of accuracy that may be lost when the model has no budget of its own. */
export const DEFAULT_MAX_DROP = 1;
/** Time that training and searching may take when nobody says. */
export const DEFAULT_MINUTES = 30;

export interface Progress {
  readonly step: string;
  readonly stepIndex: number;
  readonly steps: number;
  /** Share of the whole build that is done, 0..1. */
  readonly fraction: number;
  readonly message?: string;
  /** Of the last training step, while a network is trained. */
  readonly loss?: number;
}

export type OutputFormat = HardwareProfile['outputs'][number];

export interface BuildOptions {
  readonly modelPath: string;
  readonly modelName: string;
  readonly profile: HardwareProfile;
  readonly recipe: Recipe;
  /** Points of accuracy that `pruned-int8` may give up; by default 1. */
  readonly maxDrop?: number | null;
  /** Latency that devices of the profile measured: `pruned-int8` chooses widths by it, else by multiply-accumulates. */
  readonly table?: LatencyTable | null;
  /** Share that `pruned-int8` keeps of what widths decide of the file, at whatever loss; by default as few multiply-accumulates as accuracy allows. */
  readonly sizeShare?: number | null;
  /** The file is to be small: inner values get short names, and a build may be slower than float. */
  readonly compact?: boolean;
  /** Time that the training of `pruned-int8` and a search may take, by default 30; 0 for no training. */
  readonly minutes?: number | null;
  /** What nodes compute in, int8 by default; `auto` tries all that the profile has. */
  readonly precision?: Precision | 'auto';
  /** With budgets, builds with nodes in float are searched until these are kept to. */
  readonly budgets?: Budgets;
  /** After each build that a search measured, with the front it now has. */
  readonly onPoint?: ((point: Point, front: readonly Point[]) => void) | undefined;
  /** Data SPECs. Without one for evaluation, accuracy is read from the calibration data and labelled so. */
  readonly calibrate: string | null;
  readonly evaluate: string | null;
  /** The way ranges are drawn; by default the best of all. */
  readonly method?: Method | undefined;
  /** File that keeps what calibration has found, so that a killed build goes on; by default none. */
  readonly cache?: string | undefined;
  readonly preprocess: Preprocess | null;
  /** What the outputs of a detector mean; used on data with boxes. */
  readonly detection?: DetectionOutputs | null;
  /** What builds of the same model for other profiles have in common with this one; by default nothing. */
  readonly shared?: Shared | undefined;
  readonly outDir: string;
  /** File for the device, one of the profile's outputs; by default its first. */
  readonly output?: OutputFormat;
  readonly seed?: number;
  readonly signal?: AbortSignal | undefined;
  /** Clock of the report's date. */
  readonly now?: () => Date;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface BuiltVariant {
  /** Files of the artifact, in `outDir`. The report is beside them and not part of it. */
  readonly files: ArtifactFile[];
  readonly entry: string;
  /** The same network for other runtimes, of which a device may choose one. */
  readonly alternatives: Alternative[];
  readonly inputs: TensorSpec[];
  readonly outputs: TensorSpec[];
  readonly sessionOptions: SessionOptions;
  readonly golden: { readonly path: string; readonly tolerance: Record<string, number> };
  readonly report: Report;
  /** What came out: a recipe stops where nothing more is gained, and the report's notes say why. */
  readonly kept: Recipe;
  /** Latency by the table, in microseconds; null without one. */
  readonly predictedUs: number | null;
}

export const isForSize = ({ compact, budgets }: Pick<BuildOptions, 'compact' | 'budgets'>): boolean =>
  compact === true || budgets?.sizeRatio != null;
