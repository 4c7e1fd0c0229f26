import type { DatasetEntity } from '../datasets/dataset.entity.js';
import type { DeviceRecord } from '../devices/device.service.js';
import type { Window } from '../devices/measurement.repository.js';
import type { DeviceLatency } from '../devices/summarize.js';
import type { ModelEntity } from '../models/model.entity.js';
import { accuracyDrop } from '../variants/choose-variant.js';
import { labelDoubt } from '../variants/label-doubt.js';
import type { VariantEntity } from '../variants/variant.entity.js';
import type { DecisionEntity } from './decision.entity.js';
import { LOOP_LIMITS, type LoopDevice, type LoopInput, type LoopTable, type LoopVariant } from './loop.types.js';
import type { Subject } from './subjects.js';

/** Of variants that devices were asked to try. */
export type Trials = ReadonlyMap<string, LoopVariant['trial']>;

/** What the loop reads of one model on one profile. */
export interface LoopRows {
  readonly subject: Subject;
  readonly isOff: boolean;
  /** Of the profile, whatever they serve. */
  readonly devices: readonly DeviceRecord[];
  /** Of what the devices serve now. */
  readonly windows: readonly Window[];
  readonly variants: readonly VariantEntity[];
  /** Worst device's p95 by digest, from windows that can be trusted. */
  readonly measuredP95Us: ReadonlyMap<string, number>;
  readonly dataset: Pick<DatasetEntity, 'calibrationSamples' | 'labelled'> | null;
  readonly models: readonly ModelEntity[];
  readonly table: LoopTable;
  readonly trials: Trials;
  readonly builderRuntime: string;
  /** Made under the present budget; those of an earlier one do not bind. */
  readonly decisions: readonly DecisionEntity[];
  readonly buildsToday: number;
  readonly busy: LoopInput['busy'];
}

/** Rows as the pure decision reads them. */
export function readLoopInput(rows: LoopRows): LoopInput {
  const { model, status, unbuilt } = rows.subject;
  const { isOff, table, builderRuntime, buildsToday, busy, dataset } = rows;
  return {
    policy: {
      ...{ model: model.autoOptimize, profile: !isOff },
      ...{ approval: model.requireApproval, contended: model.trustContended },
    },
    ...{ budget: model.budget, servingDigest: status?.servingDigest ?? null, unbuilt },
    devices: (status?.deviceIds ?? []).map((id) => toDevice(id, rows.windows)),
    variants: rows.variants.map((variant) => toVariant(variant, rows.measuredP95Us, rows.trials)),
    data: { samples: dataset?.calibrationSamples ?? 0, labelled: dataset?.labelled ?? false },
    ...{ table, builderRuntime, buildsToday, busy, limits: LOOP_LIMITS },
    servedBy: servedBy(status?.deviceIds ?? [], rows.windows),
    runtimes: [...new Set(rows.devices.flatMap(({ facts }) => facts?.runtimes ?? []).map(runtimeName))],
    family: familyOf(model, rows.models),
    history: rows.decisions.map(({ action, recipe, variantId, at }) => ({
      ...{ action, recipe, variantId },
      atMs: at.getTime(),
    })),
  };
}

/** A runtime as everybody names it: adapter and version. */
export const runtimeName = ({ adapter, version }: { adapter: string; version: string }): string =>
  `${adapter} ${version}`;

/** @param windows newest first */
function servedBy(deviceIds: readonly string[], windows: readonly Window[]): LoopInput['servedBy'] {
  const newest = deviceIds.flatMap((id) => windows.find(({ deviceId }) => deviceId === id) ?? []);
  const groups = Map.groupBy(newest, (window) => adapterOf(window.servedBy));
  return Object.fromEntries([...groups].map(([adapter, devices]) => [adapter, devices.length]));
}

/** Of a runtime as {@link runtimeName} gives it. */
const adapterOf = (runtime: string): string => runtime.split(' ')[0]!;

const toDevice = (id: string, windows: readonly Window[]): LoopDevice => ({
  id,
  windows: windows
    .filter(({ deviceId }) => deviceId === id)
    .map(({ p50Us, p95Us, n, class: kind, endedAt }) => ({
      p50Us,
      p95Us,
      n,
      class: kind,
      endedAtMs: endedAt.getTime(),
    })),
});

function toVariant(variant: VariantEntity, measured: ReadonlyMap<string, number>, trials: Trials): LoopVariant {
  const { id, recipe, method, state, note, digest, report, error, parts } = variant;
  return {
    ...{ id, recipe, method, state, digest, note: note ?? error?.message ?? null },
    ...{ accuracyDrop: accuracyDrop(report), doubt: labelDoubt(report) },
    sizeBytes: report?.variant.sizeBytes ?? null,
    proofSpeedup: report?.speedup ?? null,
    runtime: report ? runtimeName(report.runtime) : null,
    otherRuntimes: (parts?.alternatives ?? []).map(({ adapter }) => adapter),
    measuredP95Us: digest === null ? null : (measured.get(digest) ?? null),
    ...{ predictedUs: variant.predictedUs, trialUs: variant.trialUs, trial: trials.get(id) ?? 'none' },
    createdAtMs: variant.createdAt.getTime(),
  };
}

/** Smaller models that answer with the same labels. */
function familyOf(model: ModelEntity, models: readonly ModelEntity[]): LoopInput['family'] {
  const labels = JSON.stringify(model.labels);
  if (model.labels === null) return [];
  return models
    .filter(
      (one) => one.name !== model.name && JSON.stringify(one.labels) === labels && one.sizeBytes < model.sizeBytes,
    )
    .map(({ name, sizeBytes }) => ({ name, sizeShare: sizeBytes / model.sizeBytes }));
}

/** The worst device of each digest, from clean and contended windows only. */
export function trustedP95(latencies: readonly DeviceLatency[]): Map<string, number> {
  const worst = new Map<string, number>();
  for (const { digest, p95Us, class: kind } of latencies) {
    if (p95Us === null || kind === 'unstable' || kind === 'throttled') continue;
    worst.set(digest, Math.max(p95Us, worst.get(digest) ?? 0));
  }
  return worst;
}
