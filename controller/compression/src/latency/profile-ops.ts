/** Measures the latency table of a model on this machine: the whole network at several uniform widths, operator by operator. */
import type { LatencyTable } from '@espalier/proto';
import { type Batch, batches } from '../data/feeds.js';
import { readLocalFacts } from '../hardware/local-facts.js';
import type { HardwareProfile } from '../hardware/profile.js';
import type { Prunable } from '../prune/prunable.js';
import { measurePair, steadyUs } from '../recipe/latency.js';
import { runtimeVersion, Session } from '../runtime/session.js';
import { nodeTimes } from './node-times.js';
import { planNetworks, rowsOfTimes, SHARES, type Timed } from './plan.js';

const SAMPLES = 8;

export interface ProfileOptions {
  readonly model: string;
  readonly profile: HardwareProfile;
  readonly precision: 'int8' | 'float32';
  readonly onProgress?: ((share: number) => void) | undefined;
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
  const timed: Timed[] = [];
  let whole: Session | null = null;
  let anchorUs = 0;
  try {
    for await (const { bytes, works } of planNetworks(subject, options, samples)) {
      const times = await nodeTimes(bytes, feeds, profile.session);
      const session = await Session.open(bytes, model, profile.session);
      whole ??= session;
      const pair = await measurePair(whole, session, feeds, subject.feeding.signal);
      const { float, variant } = steadyUs(pair, profile.session);
      if (session === whole) anchorUs = variant;
      else await session.dispose();
      // By turns with the whole network, so that what else the machine does falls on both.
      timed.push({ works, times, plainUs: (anchorUs * variant) / float });
      onProgress?.(timed.length / SHARES.length);
    }
  } finally {
    await whole?.dispose();
  }
  return {
    ...{ version: 1, model, anchorUs, rows: rowsOfTimes(timed) },
    key: {
      ...{ profile: profile.id, precision, soc: (await readLocalFacts()).cpuModel, powerMode: null },
      ...{ runtime: `onnxruntime ${runtimeVersion()}`, options: JSON.stringify(profile.session) },
    },
  };
}
