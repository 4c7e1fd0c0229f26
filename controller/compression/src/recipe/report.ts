import os from 'node:os';
import { type Latency, Report } from '@espalier/proto';
import type { Dataset } from '../data/content.js';
import type { DetectionComparison } from '../detection/compare.js';
import { runtimeVersion } from '../runtime/session.js';
import type { Comparison } from './accuracy.js';
import { BUILD_OPTIONS, type BuildOptionsFile, commandLine } from './device.js';
import type { Candidate } from './int8.js';
import type { LatencyPair } from './latency.js';
import type { NodeFigures } from './nodes.js';
import type { BuildOptions } from './options.js';

/** Everything a report is made from. */
export interface Evidence {
  readonly method: Report['method'];
  readonly candidate: Candidate | null;
  readonly figures: NodeFigures;
  readonly comparison: Comparison;
  /** On data with boxes, for a model that declares its outputs. */
  readonly detection: DetectionComparison | null;
  /** What speaks against the way the data is read. */
  readonly suspected: readonly string[];
  readonly data: Dataset;
  readonly latency: LatencyPair | null;
  readonly speedup: number | null;
  readonly floatBytes: number;
  /** How the vendor's compiler is called, where the device needs one. */
  readonly device: BuildOptionsFile | null;
}

/** Report v1. A float build is its own variant: nothing fixed, nothing broken, no noise. */
export async function assembleReport(
  options: BuildOptions,
  evidence: Evidence,
  variantBytes: number,
  cpu: NodeJS.CpuUsage,
): Promise<Report> {
  const { method, candidate, figures, comparison, detection, data, latency, floatBytes } = evidence;
  const { fixed, broken, mcnemarP, agreement } = comparison;
  const isBuilt = method !== 'float';
  return Report.parse({
    version: 1,
    model: options.modelName,
    profile: options.profile.id,
    method,
    runtime: { adapter: 'onnxruntime', version: runtimeVersion(), sessionOptions: options.profile.session },
    machine: { cpu: os.cpus()[0]?.model.trim() ?? 'unknown', arch: process.arch, cores: os.availableParallelism() },
    data: {
      spec: data.spec,
      n: comparison.n,
      split: options.evaluate === data.spec ? 'evaluation' : 'calibration',
      labelled: data.labelled || detection?.float != null,
    },
    float: { top1: comparison.top1Float, sizeBytes: floatBytes, latency: latency?.float ?? null },
    variant: { top1: comparison.top1, sizeBytes: variantBytes, latency: variantLatency(latency, isBuilt) },
    fixed,
    broken,
    mcnemarP,
    agreement: detection ? null : agreement,
    ...(detection ? { detection } : {}),
    sqnrDb: isBuilt ? comparison.sqnrDb : null,
    quality: comparison.quality,
    speedup: evidence.speedup,
    sizeRatio: isBuilt ? floatBytes / variantBytes : 1,
    nodes: figures.nodes,
    floatNodes: figures.floatNodes,
    passes: passesOf(candidate),
    notes: notesOf(options, evidence),
    search: candidate?.search ?? null,
    layers: candidate?.int8 ? [...candidate.int8.layers] : null,
    seed: options.seed ?? 1,
    commands: [commandOf(options), ...(evidence.device ? [commandLine(evidence.device)] : [])],
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    peakRssMb: process.resourceUsage().maxRSS / 1024,
    createdAt: (options.now?.() ?? new Date()).toISOString(),
  } satisfies Report);
}

const variantLatency = (latency: LatencyPair | null, isBuilt: boolean): Latency | null =>
  latency && (isBuilt ? latency.variant : latency.float);

function passesOf(candidate: Candidate | null): Report['passes'] {
  if (!candidate) return [];
  const passes: Report['passes'] = candidate.passes.map(({ name, applied, reasons }) => ({ name, applied, reasons }));
  if (candidate.other) {
    const { precision, nodes } = candidate.other;
    const reasons = nodes.flatMap(({ name, reason }) => (reason === null ? [] : [`${name}: ${reason}`]));
    return [...passes, { name: precision, applied: nodes.length - reasons.length, reasons }];
  }
  if (!candidate.int8) return passes;
  const decisions = [...candidate.int8.plan.decisions];
  const applied = decisions.filter(([, decision]) => decision.kind === 'int8').length;
  const reasons = decisions.flatMap(([name, decision]) =>
    decision.kind === 'float' ? [`${name}: ${decision.reason}`] : [],
  );
  return [...passes, { name: 'quantize', applied, reasons }];
}

function notesOf({ profile, preprocess, calibrate, evaluate }: BuildOptions, evidence: Evidence): string[] {
  const { candidate, figures, latency } = evidence;
  const notes = [...(candidate?.notes ?? []), ...evidence.suspected];
  if (!preprocess) notes.push('There is no preprocessing record: the data went in as it is.');
  if (evidence.data.spec.startsWith('random:')) notes.push('Compared on random inputs: accuracy is not known.');
  if (calibrate?.startsWith('random:')) notes.push('Calibrated on random inputs: expect a loss of accuracy.');
  if (!evaluate && calibrate) notes.push('Compared on the calibration data: give other data to evaluate on.');
  if (evidence.data.scenes && !evidence.detection) {
    notes.push(
      'The data has boxes, but nothing says what the outputs mean (--detection): they are compared as numbers.',
    );
  }
  if (!latency) notes.push(`Latency is not measured: this machine is no ${profile.id}.`);
  if (evidence.method !== 'float' && profile.oracle.tool !== 'onnxruntime') {
    notes.push(
      `Accuracy is of ONNX Runtime on this machine; what runs in ${evidence.method} on ${profile.id} is as planned.`,
    );
  }
  if (evidence.device) {
    notes.push(`${evidence.device.tool} makes the file of the device, as ${BUILD_OPTIONS} says; it has not run here.`);
  }
  if (figures.missed.length > 0)
    notes.push(`Planned for int8, but float in the runtime: ${figures.missed.join(', ')}.`);
  return notes;
}

/** The command that builds the same again. */
export function commandOf(options: BuildOptions): string {
  const parts = ['npx espalier quantize', options.modelPath, '-o OUT', `--profile ${options.profile.id}`];
  if (options.recipe !== 'int8') parts.push(`--recipe ${options.recipe}`);
  const { maxDrop, latencyUs, speedup, sizeRatio } = options.budgets ?? {};
  const drop = maxDrop ?? (options.recipe === 'pruned-int8' ? options.maxDrop : null);
  if (drop != null) parts.push(`--max-drop ${drop}`);
  if (latencyUs != null) parts.push(`--latency-us ${latencyUs}`);
  if (speedup != null) parts.push(`--speedup ${speedup}`);
  if (sizeRatio != null) parts.push(`--size-ratio ${sizeRatio}`);
  if (options.precision && options.precision !== 'int8') parts.push(`--precision ${options.precision}`);
  if (options.method) parts.push(`--calibration ${options.method}`);
  if (options.calibrate) parts.push(`--calibrate '${options.calibrate}'`);
  if (options.evaluate) parts.push(`--evaluate '${options.evaluate}'`);
  return parts.join(' ');
}
