import { runtimeVersion } from '@espalier/compression/runtime/session';
import { canonicalDigest, type LatencyTable, type Recipe, type RuntimeKey } from '@espalier/proto';
import type { TableView } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import type { DeviceRecord } from '../devices/device.service.js';
import { DeviceService } from '../devices/device.service.js';
import { MeasurementService } from '../devices/measurement.service.js';
import { ModelService } from '../models/model.service.js';
import { findProfile } from '../variants/build-handler.js';
import type { ImportedTableEntity } from './import/imported-table.entity.js';
import { TableImporter } from './import/importer.js';
import { type Merged, mergeReports, otherKey } from './merge-reports.js';
import { TableSource } from './table-source.js';
import type { TimingPlanEntity } from './timing.entity.js';
import { TimingRepository } from './timing.repository.js';

export interface DeviceTable {
  readonly plan: TimingPlanEntity;
  readonly merged: Merged;
  /** Why it holds no more, or null. */
  readonly stale: string | null;
  readonly deviceSeconds: number;
}

/** What is waited for while a plan is open. */
const OPEN = {
  planning: 'its networks are being made',
  measuring: 'devices of the profile measure when they are idle',
} as const;

/** The latency tables that devices measured. */
@Injectable()
export class Tables extends TableSource {
  constructor(
    private readonly plans: TimingRepository,
    private readonly models: ModelService,
    private readonly devices: DeviceService,
    private readonly measurements: MeasurementService,
    private readonly imported: TableImporter,
  ) {
    super();
  }

  async of(modelId: string, profile: string, recipe: Recipe): Promise<LatencyTable | null> {
    if (recipe !== 'pruned-int8') return null;
    const found = await this.latest(modelId, profile);
    if (found && found.stale === null) return this.tableOf(found);
    // Better than multiply-accumulates for choosing widths; what comes of it is measured before it may serve.
    return (await this.imported.find(modelId, profile))?.table ?? null;
  }

  /** The newest plan that gave a table. */
  async latest(modelId: string, profile: string): Promise<DeviceTable | null> {
    for (const plan of await this.plans.plans(modelId, profile)) {
      if (plan.kind !== 'table' || plan.state !== 'done') continue;
      const reports = (await this.plans.reports(plan.id)).filter(({ state }) => state === 'answered');
      const merged = mergeReports(
        plan.networks,
        reports.flatMap(({ deviceId, networks, runtime }) => (runtime ? [{ deviceId, networks, runtime }] : [])),
      );
      if (!merged) continue;
      const deviceSeconds = Math.max(...reports.map((report) => report.deviceSeconds));
      return { plan, merged, deviceSeconds, stale: await this.#staleness(plan, merged.runtime) };
    }
    return null;
  }

  /** The plan that is under way, or null. */
  async underWay(modelId: string, profile: string): Promise<TimingPlanEntity | null> {
    const open = (await this.plans.plans(modelId, profile)).filter(({ kind }) => kind === 'table');
    return open.find(({ state }) => state === 'planning' || state === 'measuring') ?? null;
  }

  /** Plans in which one device tries one build, newest first. */
  async trials(modelId: string, profile: string): Promise<TimingPlanEntity[]> {
    return (await this.plans.plans(modelId, profile)).filter(({ kind }) => kind === 'trial');
  }

  async tableOf({ plan, merged }: DeviceTable): Promise<LatencyTable> {
    const { name, version } = await this.models.get(plan.modelId);
    const { adapter, version: runtime, soc, powerMode } = merged.runtime;
    return {
      ...{ version: 1, model: `${name} ${version}`, anchorUs: merged.anchorUs, rows: [...merged.rows] },
      key: {
        ...{ profile: plan.profile, soc, powerMode, precision: 'int8', runtime: `${adapter} ${runtime}` },
        options: JSON.stringify(plan.sessionOptions),
      },
    };
  }

  /** Every profile of which something was planned. */
  async views(modelId: string): Promise<TableView[]> {
    const plans = (await this.plans.plans(modelId)).filter(({ kind }) => kind === 'table');
    const views: TableView[] = [];
    for (const [profile, [newest]] of Map.groupBy(plans, (plan) => plan.profile))
      views.push(await this.#view(newest!, await this.latest(modelId, profile)));
    // Beside what devices measured, or are measuring, nobody needs what a compiler thinks.
    for (const one of await this.imported.list(modelId)) {
      const at = views.findIndex(({ profile }) => profile === one.profile);
      if (at < 0) views.push(importedView(one));
      else if (views[at]!.state === 'failed') views[at] = importedView(one);
    }
    return views;
  }

  async #view({ profile, state, reason, jobId }: TimingPlanEntity, latest: DeviceTable | null): Promise<TableView> {
    const isOpen = state === 'planning' || state === 'measuring';
    const stands = latest ? (latest.stale === null ? 'measured' : 'stale') : 'failed';
    return {
      ...{ profile, jobId, state: isOpen ? 'measuring' : stands },
      reason: isOpen ? OPEN[state] : (latest?.stale ?? reason),
      table: latest && (await this.tableOf(latest)),
      devices: [...(latest?.merged.devices ?? [])],
      leftOut: [...(latest?.merged.leftOut ?? [])],
      deviceSeconds: latest?.deviceSeconds ?? null,
      measuredAt: latest?.plan.endedAt?.toISOString() ?? null,
    };
  }

  /** A table is of the processor, runtime, session options and power mode that it was measured with, and of no other. */
  async #staleness({ profile, sessionOptions }: TimingPlanEntity, key: RuntimeKey): Promise<string | null> {
    const { session } = await findProfile(profile);
    if (canonicalDigest(session) !== canonicalDigest(sessionOptions))
      return 'the profile has other session options now';
    if (key.version !== runtimeVersion()) return `builds are made for runtime ${runtimeVersion()}, not ${key.version}`;
    const devices = (await this.devices.find(`profile:${profile}`)).filter(({ online }) => online);
    const now = devices.flatMap((device) => factsKey(device, key) ?? []);
    const differing = now.filter((one) => otherKey(one, key) !== '');
    if (now.length > 0 && differing.length === now.length) return otherKey(differing[0]!, key);
    return this.#otherPowerMode(devices, key);
  }

  async #otherPowerMode(devices: readonly DeviceRecord[], { powerMode }: RuntimeKey): Promise<string | null> {
    const deviceIds = devices.map(({ id }) => id);
    const modes = await this.measurements.powerModes(deviceIds);
    if (modes.length === 0 || modes.includes(powerMode)) return null;
    return `power mode ${modes[0] ?? 'unknown'} instead of ${powerMode ?? 'unknown'}`;
  }
}

const importedView = ({ profile, table, unmatched, importedBy, importedAt }: ImportedTableEntity): TableView => ({
  ...{ profile, table, state: 'imported', jobId: null, devices: [], leftOut: [], deviceSeconds: null },
  reason:
    `${table.key.runtime}, given by ${importedBy}: no device measured it, so it plans builds and decides no rollout` +
    (unmatched.length > 0 ? `; ${unmatched.length} of its layers are no operators of the model` : ''),
  measuredAt: importedAt.toISOString(),
});

/** What a device says of itself, in the form of a key; what facts do not hold is taken from the key. */
function factsKey({ facts }: DeviceRecord, key: RuntimeKey): RuntimeKey | null {
  const runtime = facts?.runtimes.find(({ adapter }) => adapter === key.adapter);
  if (!facts || !runtime) return null;
  return { ...key, soc: facts.soc ?? facts.cpu.model, version: runtime.version };
}
