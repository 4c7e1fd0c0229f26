import { isMeasured, type Recipe } from '@espalier/proto';
import type { Dataset } from '../data/content.js';
import { openDataset } from '../data/dataset.js';
import { writePreprocess } from '../data/preprocess.js';
import { CalibrationMissing } from '../errors.js';
import type { Graph } from '../onnx/graph.js';
import { TRANSFORMATIONS } from '../precision/index.js';
import { widened } from '../precision/wide.js';
import { calibrationBatch, keyOfFeeding } from '../quantize/samples.js';
import { ALONE } from '../share/shared.js';
import { type Inputs, readInputs } from './build-inputs.js';
import { progressOf, type Tell } from './build-progress.js';
import { BUILD_OPTIONS, buildOptionsFor } from './device.js';
import { explore, type Makers } from './explore.js';
import { type Candidate, makeInt8 } from './int8.js';
import { type Narrowed, narrow } from './narrow.js';
import { type BuildOptions, type BuiltVariant, DEFAULT_MAX_DROP, DEFAULT_MINUTES, isForSize } from './options.js';
import { graphOf, makeOther, methodOf } from './other.js';
import { type Proof, proveStep } from './prove.js';
import { assembleReport } from './report.js';
import { liteRtFile, tfliteOf, twinOf } from './tflite.js';
import { writeArtifact } from './write.js';

const TWIN = 'model.tflite';
/** Calibration reads no more samples than this: ranges have settled long before. */
const CALIBRATION_MAX = 512;
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
  const slower = !isForSize(options) && proof.evidence.speedup !== null && proof.evidence.speedup < 1;
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
  const { profile, recipe, signal, shared } = options;
  const pruning = recipe === 'pruned-int8';
  const from = pruning ? 0.8 : 0;
  const narrowing = (prepared: Graph): Promise<Narrowed> => narrowOnce(prepared, options, { data, inputs, tell, from });
  const onProgress = (share: number): void => tell('quantize', from + (1 - from) * share);
  const { original, floatBytes } = inputs;
  const { method, cache } = options;
  const calibration = { data, feeding, method, cache, signal, shared, onProgress };
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

/** Widths are chosen by what the hardware likes and measured: builds that agree in that share the training too. */
function narrowOnce(
  prepared: Graph,
  options: BuildOptions,
  { data, inputs, tell, from }: { data: Dataset; inputs: Inputs; tell: Tell; from: number },
): Promise<Narrowed> {
  const { profile, table = null, sizeShare = null, shared = ALONE } = options;
  const { feeding } = inputs;
  const [maxDrop, minutes] = [options.maxDrop ?? DEFAULT_MAX_DROP, options.minutes ?? DEFAULT_MINUTES];
  const on = [prepared, data.spec, keyOfFeeding(feeding), profile.alignment];
  return shared.once('narrowed', [...on, table, sizeShare, maxDrop, minutes], () =>
    narrow(prepared, {
      ...{ profile, data, feeding, maxDrop, minutes, sizeShare, table },
      onProgress: (share, what, loss) => tell('quantize', from * share, what, loss),
    }),
  );
}

const keptOf = ({ candidate, method }: Proof['evidence']): Recipe => {
  if (candidate?.isPruned) return 'pruned-int8';
  return method === 'float' ? 'float' : 'int8';
};

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
  const twin = twinOf(options, proof.evidence.candidate);
  if (twin && 'bytes' in twin) files.push(await writeArtifact(outDir, TWIN, twin.bytes));
  const device = buildOptionsFor(profile, { name: native.path, sha256: native.sha256 }, proof.inputs);
  if (device) files.push(await writeArtifact(outDir, BUILD_OPTIONS, `${JSON.stringify(device, null, 2)}\n`));
  const evidence = { ...proof.evidence, device };
  const assembled = await assembleReport(options, evidence, proof.bytes.length, process.cpuUsage(started));
  const notes = [...assembled.notes, ...(twin && 'why' in twin ? [twin.why] : [])];
  const report = { ...assembled, notes };
  await writeArtifact(outDir, 'report.json', `${JSON.stringify(report, null, 2)}\n`);
  tell('write', 1);
  return {
    files,
    entry: 'model.onnx',
    alternatives: twin && 'bytes' in twin ? [liteRtFile(TWIN, proof.golden.tolerance)] : [],
    inputs: proof.inputs,
    outputs: proof.outputs,
    sessionOptions: options.profile.session,
    golden: { path: 'golden.json', tolerance: proof.golden.tolerance },
    report,
    // What no device measured plans widths, and predicts nothing that anybody may hold a device against.
    predictedUs: options.table && isMeasured(options.table) ? (proof.evidence.candidate?.predictedUs ?? null) : null,
    kept: keptOf(proof.evidence),
  };
}
