import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Recipe, TensorSpec } from '@espalier/proto';
import type { Dataset } from '../data/content.js';
import { openDataset } from '../data/dataset.js';
import { type BatchOptions, firstFeeds } from '../data/feeds.js';
import { writePreprocess } from '../data/preprocess.js';
import { suspicions } from '../data/suspicion.js';
import { compareDetections } from '../detection/compare.js';
import { CalibrationMissing } from '../errors.js';
import { readLocalFacts } from '../hardware/local-facts.js';
import { fits } from '../hardware/match.js';
import type { HardwareProfile } from '../hardware/profile.js';
import { readChecked } from '../inspect.js';
import { encodeModel, readWhole } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { TRANSFORMATIONS } from '../precision/index.js';
import { widened } from '../precision/wide.js';
import { calibrationBatch, evaluationBatch } from '../quantize/samples.js';
import { collectGarbage } from '../runtime/collect.js';
import { limitsOf, probeModel } from '../runtime/probe.js';
import { Session } from '../runtime/session.js';
import { compare } from './accuracy.js';
import { BUILD_OPTIONS, buildOptionsFor } from './device.js';
import { explore, type Makers } from './explore.js';
import { goldenTolerance, makeGolden } from './golden.js';
import { type Candidate, makeInt8 } from './int8.js';
import { measurePair } from './latency.js';
import { type Narrowed, narrow } from './narrow.js';
import { plannedNodes, transformedNodes } from './nodes.js';
import { nodesAsRun } from './nodes-as-run.js';
import { type BuildOptions, type BuiltVariant, DEFAULT_MAX_DROP, DEFAULT_MINUTES } from './options.js';
import { graphOf, makeOther, methodOf } from './other.js';
import { assembleReport, type Evidence } from './report.js';
import { tfliteOf } from './tflite.js';
import { writeArtifact } from './write.js';

/** Calibration reads no more samples than this: ranges have settled long before. */
const CALIBRATION_MAX = 512;
const STEPS = ['read', 'quantize', 'evaluate', 'measure', 'write'] as const;
/** Share of the whole at which each step starts, from builds of the sample. */
const STARTS = [0, 0.05, 0.5, 0.8, 0.97, 1];

type Step = (typeof STEPS)[number];
type Tell = (step: Step, share: number, message?: string, loss?: number | null) => void;

function progressOf({ onProgress, signal }: BuildOptions): Tell {
  let done = 0;
  return (step, share, message, loss = null) => {
    signal?.throwIfAborted();
    const stepIndex = STEPS.indexOf(step);
    const [start, end] = [STARTS[stepIndex]!, STARTS[stepIndex + 1]!];
    // A proof that is run again, for the float build, does not move the bar back.
    done = Math.max(done, start + (end - start) * share);
    const told = { ...(message ? { message } : {}), ...(loss === null ? {} : { loss }) };
    onProgress?.({ step, stepIndex, steps: STEPS.length, fraction: done, ...told });
  };
}

interface Inputs {
  readonly original: Graph;
  /** Bytes of the whole model as a file. */
  readonly floatBytes: number;
  readonly specs: TensorSpec[];
  readonly calibration: Dataset | null;
  readonly evaluation: Dataset | null;
  readonly feeding: BatchOptions;
}

async function readInputs(options: BuildOptions): Promise<Inputs> {
  const { modelPath, preprocess, seed = 1, signal } = options;
  const original = await readChecked(modelPath);
  const { inputs: specs } = await probeModel(modelPath, limitsOf(original));
  return {
    original,
    floatBytes: (await readWhole(modelPath)).length,
    specs,
    calibration: options.calibrate ? await openDataset(options.calibrate) : null,
    evaluation: options.evaluate ? await openDataset(options.evaluate) : null,
    feeding: { inputs: specs, preprocess, batchSize: evaluationBatch(specs), seed, signal },
  };
}

/**
 * Runs a recipe: model file to artifact folder with its proof. Writes model.onnx, golden.json and report.json into
 * `outDir`. Throws the coded errors of reading, data and runtime, and the signal's reason when aborted.
 */
export async function buildVariant(options: BuildOptions): Promise<BuiltVariant> {
  const tell = progressOf(options);
  const started = process.cpuUsage();
  tell('read', 0, options.modelName);
  const inputs = await readInputs(options);
  const candidate = options.recipe !== 'float' ? await quantizeStep(options, inputs, tell) : null;
  const proof = await proveStep(options, inputs, candidate, tell);
  const isForSize = options.budgets?.sizeRatio != null;
  const slower = !isForSize && proof.evidence.speedup !== null && proof.evidence.speedup < 1;
  if (graphOf(candidate) && slower) {
    const reason = `${methodOf(candidate)} ran at ${proof.evidence.speedup!.toFixed(2)} times the speed of float here, so float was kept.`;
    const float = await proveStep(
      options,
      inputs,
      {
        ...candidate!,
        ...{ int8: null, other: null, isPruned: false, predictedUs: null },
        notes: [...candidate!.notes, reason],
      },
      tell,
      proof,
    );
    return finish(options, float, started, tell);
  }
  return finish(options, proof, started, tell);
}

async function quantizeStep(options: BuildOptions, inputs: Inputs, tell: Tell): Promise<Candidate> {
  const { precision = 'int8' } = options;
  const isFree = precision in TRANSFORMATIONS;
  const data = inputs.calibration ?? (isFree ? await openDataset('random:8') : null);
  if (!data) throw CalibrationMissing({ model: options.modelName });
  if (options.preprocess) writePreprocess(inputs.original, options.preprocess);
  tell('quantize', 0, `calibrating on ${Math.min(data.n, CALIBRATION_MAX)} samples`);
  const feeding = { ...inputs.feeding, batchSize: calibrationBatch(inputs.specs), limit: CALIBRATION_MAX };
  const { profile, recipe, maxDrop, signal } = options;
  const pruning = recipe === 'pruned-int8';
  const from = pruning ? 0.8 : 0;
  const narrowing = (prepared: Graph): Promise<Narrowed> =>
    narrow(prepared, {
      ...{ profile, data, feeding: inputs.feeding, maxDrop: maxDrop ?? DEFAULT_MAX_DROP },
      ...{
        minutes: options.minutes ?? DEFAULT_MINUTES,
        weights: options.weights ?? null,
        table: options.table ?? null,
      },
      onProgress: (share, what, loss) => tell('quantize', from * share, what, loss),
    });
  const onProgress = (share: number): void => tell('quantize', from + (1 - from) * share);
  const { original, floatBytes } = inputs;
  const calibration = { data, feeding, method: options.method, cache: options.cache, signal, onProgress };
  const makers: Makers = {
    int8: (refine) => makeInt8(original, profile, calibration, pruning ? narrowing : null, refine),
    // 16 bits hold the whole range finely enough: cutting its tails would only lose them.
    wide: async () => {
      const method = options.method ?? 'minmax';
      return { ...(await makeInt8(original, widened(profile), { ...calibration, method })), isWide: true };
    },
    other: (one) => makeOther(original, profile, { data, feeding, precision: one }),
  };
  if (options.budgets || precision === 'auto') {
    return explore({ build: options, data, feeding, floatBytes, makers });
  }
  if (precision === 'int8') return makers.int8(null);
  return precision === 'int8-16' ? makers.wide() : makers.other(precision);
}

interface Proof {
  readonly bytes: Uint8Array;
  readonly evidence: Omit<Evidence, 'device'>;
  readonly golden: { readonly text: string; readonly tolerance: Record<string, number> };
  readonly inputs: TensorSpec[];
  readonly outputs: TensorSpec[];
}

/**
 * Runs float and variant side by side at the profile's session options, as the device will.
 * @param before the proof of what is not kept: what it says of float and the data is not looked for again
 */
async function proveStep(
  options: BuildOptions,
  inputs: Inputs,
  candidate: Candidate | null,
  tell: Tell,
  before?: Proof,
): Promise<Proof> {
  const { profile, outDir, modelName } = options;
  const [built, method] = [graphOf(candidate), methodOf(candidate)];
  const bytes = built ? encodeModel(built) : await readWhole(options.modelPath);
  await writeArtifact(outDir, 'model.onnx', bytes);
  collectGarbage();
  const optimizedFile = path.join(outDir, '.optimized.onnx');
  const float = await Session.open(options.modelPath, modelName, profile.session);
  const variant = built ? await Session.open(bytes, `${modelName} ${method}`, profile.session) : float;
  try {
    const saving = { optimizedModelFilePath: optimizedFile };
    await (await Session.open(bytes, modelName, profile.session, saving)).dispose();
    const feeding = { ...inputs.feeding, inputs: variant.inputs };
    const data = inputs.evaluation ?? inputs.calibration ?? (await openDataset('random:8'));
    const seen = (share: number) => tell('evaluate', share);
    tell('evaluate', 0, `${data.n} samples`);
    const comparison = await compare(float, variant, data, feeding, seen);
    const detection =
      data.scenes && options.detection
        ? await compareDetections(float, variant, data, data.scenes, options.detection, feeding)
        : null;
    const suspected = before?.evidence.suspected ?? (await suspicions(float, data, feeding));
    tell('measure', 0);
    const latency = await measureHere(profile, float, variant, data, feeding);
    const prepared = candidate?.int8 ? { graph: candidate.prepared, plan: candidate.int8.plan } : null;
    const here = profile.oracle.tool === 'onnxruntime';
    const figures = candidate?.other
      ? transformedNodes(candidate.other)
      : here || !prepared
        ? await nodesAsRun(optimizedFile, prepared, { profile, data, feeding, latency })
        : plannedNodes(prepared);
    const cases = await makeGolden(variant, data, feeding);
    const graph = built ?? inputs.original;
    const tolerance = goldenTolerance(graph, variant.outputs, comparison.outputRange, method);
    const speedup = latency ? (method === 'float' ? 1 : latency.float.p50Us / latency.variant.p50Us) : null;
    return {
      bytes,
      evidence: {
        method,
        candidate,
        figures,
        comparison,
        detection,
        suspected,
        data,
        latency,
        speedup,
        floatBytes: inputs.floatBytes,
      },
      golden: { text: JSON.stringify(cases), tolerance },
      inputs: variant.inputs,
      outputs: variant.outputs,
    };
  } finally {
    await Promise.all([...new Set([float, variant])].map((session) => session.dispose()));
    await rm(optimizedFile, { force: true });
  }
}

const keptOf = ({ candidate, method }: Proof['evidence']): Recipe => {
  if (candidate?.isPruned) return 'pruned-int8';
  return method === 'float' ? 'float' : 'int8';
};

/** Latency of both, only on a machine that the profile fits: an emulated or foreign figure would mislead. */
async function measureHere(
  profile: HardwareProfile,
  float: Session,
  variant: Session,
  data: Dataset,
  feeding: BatchOptions,
): Promise<Evidence['latency']> {
  if (!fits(await readLocalFacts(), profile)) return null;
  const feeds = await firstFeeds(data, feeding, 1);
  return feeds && measurePair(float, variant, feeds, feeding.signal);
}

async function finish(
  options: BuildOptions,
  proof: Proof,
  started: NodeJS.CpuUsage,
  tell: Tell,
): Promise<BuiltVariant> {
  tell('write', 0);
  const { outDir, profile } = options;
  const model = await writeArtifact(outDir, 'model.onnx', proof.bytes);
  const files = [model, await writeArtifact(outDir, 'golden.json', proof.golden.text)];
  const tflite = tfliteOf(options, proof.evidence.candidate);
  const native = tflite ? await writeArtifact(outDir, 'model.tflite', tflite) : model;
  if (tflite) files.push(native);
  const device = buildOptionsFor(profile, { name: native.path, sha256: native.sha256 }, proof.inputs);
  if (device) files.push(await writeArtifact(outDir, BUILD_OPTIONS, `${JSON.stringify(device, null, 2)}\n`));
  const evidence = { ...proof.evidence, device };
  const report = await assembleReport(options, evidence, proof.bytes.length, process.cpuUsage(started));
  await writeArtifact(outDir, 'report.json', `${JSON.stringify(report, null, 2)}\n`);
  tell('write', 1);
  return {
    files,
    entry: 'model.onnx',
    inputs: proof.inputs,
    outputs: proof.outputs,
    sessionOptions: options.profile.session,
    golden: { path: 'golden.json', tolerance: proof.golden.tolerance },
    report,
    predictedUs: proof.evidence.candidate?.predictedUs ?? null,
    kept: keptOf(proof.evidence),
  };
}
