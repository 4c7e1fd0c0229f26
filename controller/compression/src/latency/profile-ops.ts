/** Measures the latency table of a model on this machine: the whole network at several uniform widths, operator by operator. */
import type { LatencyTable } from '@espalier/proto';
import { type Batch, batches } from '../data/feeds.js';
import { readLocalFacts } from '../hardware/local-facts.js';
import type { HardwareProfile } from '../hardware/profile.js';
import { encodeModel } from '../onnx/codec.js';
import type { Graph } from '../onnx/graph.js';
import { cutTo, uniformWidths } from '../prune/fit.js';
import type { Prunable } from '../prune/prunable.js';
import { measurePair } from '../recipe/latency.js';
import { runShapes } from '../runtime/run-shapes.js';
import { runtimeVersion, Session } from '../runtime/session.js';
import { nodeTimes } from './node-times.js';
import { sketchInt8 } from './sketch.js';
import { type Measured, rowsOf } from './table.js';

/** Shares of the channels that are kept in the networks that are measured. */
const SHARES = [1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25];
const SAMPLES = 8;

export interface ProfileOptions {
  readonly model: string;
  readonly profile: HardwareProfile;
  readonly precision: 'int8' | 'float32';
  readonly onProgress?: ((share: number) => void) | undefined;
}

/** The build of a network that is timed: of the precision asked for. */
export async function timedBuild(
  graph: Graph,
  { profile, precision }: Pick<ProfileOptions, 'profile' | 'precision'>,
  samples: readonly Batch[],
): Promise<Uint8Array> {
  return encodeModel(precision === 'int8' ? await sketchInt8(graph, profile, samples) : graph);
}

/** A few samples, one a batch, as devices see them. */
export async function timingSamples({ data, feeding }: Prunable): Promise<Batch[]> {
  const samples: Batch[] = [];
  for await (const batch of batches(data, { ...feeding, batchSize: 1, limit: SAMPLES })) samples.push(batch);
  return samples;
}

/** @param subject the model's channels in any order of removal; widths are what counts */
export async function profileOps(subject: Prunable, options: ProfileOptions): Promise<LatencyTable> {
  const { profile, precision, model, onProgress } = options;
  const samples = await timingSamples(subject);
  const { feeds } = samples[0]!;
  const networks: Measured[] = [];
  for (const [at, share] of SHARES.entries()) {
    subject.feeding.signal?.throwIfAborted();
    const { graph } = share === 1 ? subject : await cutTo(subject, uniformWidths(subject, share));
    const build = await timedBuild(graph, options, samples);
    const times = await nodeTimes(build, feeds, profile.session);
    networks.push({ graph, shapes: await runShapes(graph, feeds), times });
    onProgress?.((at + 1) / (SHARES.length + 1));
  }
  const whole = await Session.open(await timedBuild(subject.graph, options, samples), model, profile.session);
  const { variant } = await measurePair(whole, whole, feeds, subject.feeding.signal);
  await whole.dispose();
  onProgress?.(1);
  return {
    ...{ version: 1, model, anchorUs: variant.p50Us, rows: rowsOf(networks) },
    key: {
      ...{ profile: profile.id, precision, soc: (await readLocalFacts()).cpuModel, powerMode: null },
      ...{ runtime: `onnxruntime ${runtimeVersion()}`, options: JSON.stringify(profile.session) },
    },
  };
}
