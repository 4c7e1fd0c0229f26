import type { TensorSpec } from '@espalier/proto';
import type { Dataset } from '../data/content.js';
import { openDataset } from '../data/dataset.js';
import type { BatchOptions } from '../data/feeds.js';
import { readChecked } from '../inspect.js';
import { cloneGraph, readWhole } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { evaluationBatch } from '../quantize/samples.js';
import { limitsOf, probeModel } from '../runtime/probe.js';
import { ALONE } from '../share/shared.js';
import type { BuildOptions } from './options.js';

/** What a build reads before it does anything. */
export interface Inputs {
  readonly original: Graph;
  /** Bytes of the whole model as a file. */
  readonly floatBytes: number;
  readonly specs: TensorSpec[];
  readonly calibration: Dataset | null;
  readonly evaluation: Dataset | null;
  readonly feeding: BatchOptions;
}

/** Throws the codes of reading, probing and opening. */
export async function readInputs(options: BuildOptions): Promise<Inputs> {
  const { modelPath, calibrate, evaluate, preprocess, seed = 1, signal, shared = ALONE } = options;
  const on = [modelPath, calibrate, evaluate, preprocess, seed];
  const inputs = await shared.once('inputs', on, () => readThem(options));
  // A build writes into its graph, and ends with its own signal.
  return { ...inputs, original: cloneGraph(inputs.original), feeding: { ...inputs.feeding, signal } };
}

async function readThem(options: BuildOptions): Promise<Inputs> {
  const { modelPath, preprocess, seed = 1 } = options;
  const original = await readChecked(modelPath);
  const { inputs: specs } = await probeModel(modelPath, limitsOf(original));
  return {
    original,
    floatBytes: (await readWhole(modelPath)).length,
    specs,
    calibration: options.calibrate ? await openDataset(options.calibrate) : null,
    evaluation: options.evaluate ? await openDataset(options.evaluate) : null,
    feeding: { inputs: specs, preprocess, batchSize: evaluationBatch(specs), seed },
  };
}
