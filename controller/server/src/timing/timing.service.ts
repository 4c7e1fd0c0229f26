import type { TimingMessage, TimingRequest, WindowClass } from '@espalier/proto';
import { Injectable } from '@nestjs/common';
import { ManifestSigner } from '../artifacts/signer.js';
import { Clock } from '../common/clock.js';
import { DomainEvents } from '../common/domain-events.js';
import { NoDeviceToTime } from '../common/errors.js';
import { newId } from '../common/ids.js';
import { DesiredService } from '../devices/desired.service.js';
import type { DeviceRecord } from '../devices/device.service.js';
import { DeviceService } from '../devices/device.service.js';
import { TimingSink } from '../devices/timing-sink.js';
import { ModelService } from '../models/model.service.js';
import { VariantRepository } from '../variants/variant.repository.js';
import type { TimingPlanEntity, TimingReportEntity } from './timing.entity.js';
import { TimingRepository } from './timing.repository.js';

/** Devices that share a plan. */
const DEVICES = { table: 3, trial: 1 } as const;
const RUNS = 200;
/** Seconds of a device, all networks together. */
const LIMIT_S = 180;
/** A device that never had nothing to do for so long is not asked any more. */
const EXPIRES_MS = 20 * 60_000;

/** Asks devices for times, and takes their answers. The plan is stored first, so that a restart goes on with it. */
@Injectable()
export class TimingService extends TimingSink {
  constructor(
    private readonly plans: TimingRepository,
    private readonly models: ModelService,
    private readonly variants: VariantRepository,
    private readonly devices: DeviceService,
    private readonly desired: DesiredService,
    private readonly signer: ManifestSigner,
    private readonly clock: Clock,
    private readonly events: DomainEvents,
  ) {
    super();
  }

  /** Sends a plan that has its networks to devices of its profile. @throws ESP_NO_DEVICE_TO_TIME */
  async ask(plan: TimingPlanEntity): Promise<void> {
    const model = await this.models.get(plan.modelId);
    const chosen = chooseDevices(await this.devices.find(`profile:${plan.profile}`), DEVICES[plan.kind]);
    if (chosen.length === 0) throw NoDeviceToTime({ profile: plan.profile });
    const classes: WindowClass[] = model.trustContended ? ['clean', 'contended'] : ['clean'];
    const expiresAt = new Date(this.clock.now().getTime() + EXPIRES_MS);
    for (const { id: deviceId } of chosen) {
      const request: TimingRequest = {
        ...{
          id: newId('tim', 12),
          deviceId,
          sessionOptions: plan.sessionOptions,
          runs: RUNS,
          limitS: LIMIT_S,
          classes,
        },
        networks: plan.networks.map(({ sha256, bytes }) => ({ sha256, bytes, profiled: plan.kind === 'table' })),
        expiresAt: expiresAt.toISOString(),
      };
      await this.plans.save({
        ...{ planId: plan.id, deviceId, requestId: request.id, state: 'asked', networks: [], runtime: null },
        ...{ deviceSeconds: 0, problem: null, expiresAt, answeredAt: null },
      });
      await this.desired.setTiming(deviceId, this.signer.order(request));
    }
  }

  /** A device's answer; one that comes twice, or to a question that is settled, changes nothing. */
  async answered(deviceId: string, message: TimingMessage): Promise<void> {
    const report = await this.plans.byRequest(deviceId, message.requestId);
    if (report?.state !== 'asked') return;
    const { networks, runtime, deviceSeconds, error } = message;
    await this.plans.save({
      ...{ ...report, networks, runtime, deviceSeconds, problem: error?.message ?? null },
      ...{ state: error ? 'failed' : 'answered', answeredAt: this.clock.now() },
    });
    await this.desired.setTiming(deviceId, null);
    await this.settle(report.planId);
  }

  /** Ends what nobody answers any more, and plans whose devices have all answered. */
  async settle(planId: string): Promise<void> {
    const plan = await this.plans.find(planId);
    if (plan?.state !== 'measuring') return;
    const now = this.clock.now();
    const reports = await this.plans.reports(planId);
    for (const late of reports.filter(({ state, expiresAt }) => state === 'asked' && expiresAt < now)) {
      Object.assign(late, {
        state: 'failed',
        problem: 'it did not answer in time',
      } satisfies Partial<TimingReportEntity>);
      await this.plans.save(late);
      await this.desired.setTiming(late.deviceId, null);
    }
    if (reports.some(({ state }) => state === 'asked')) return;
    await this.#end(plan, reports);
  }

  async #end(plan: TimingPlanEntity, reports: readonly TimingReportEntity[]): Promise<void> {
    const answered = reports.filter(({ state }) => state === 'answered');
    const problems = reports.flatMap(({ deviceId, problem }) => (problem === null ? [] : [`${deviceId}: ${problem}`]));
    const trialUs = answered[0]?.networks[0]?.p50Us ?? null;
    if (plan.kind === 'trial' && trialUs !== null) await this.variants.update(plan.variantId!, { trialUs });
    await this.plans.update(plan.id, {
      ...{ state: answered.length > 0 ? 'done' : 'failed', endedAt: this.clock.now() },
      reason: problems.join('; ') || null,
    });
    this.events.emit('job', { jobId: plan.id });
  }
}

/** Online, well, and those that serve before those that do not: what they measure is what counts. */
function chooseDevices(devices: readonly DeviceRecord[], count: number): DeviceRecord[] {
  return devices
    .filter(({ online, healthy }) => online && healthy)
    .toSorted((a, b) => Number(b.servingDigest !== null) - Number(a.servingDigest !== null) || (a.id < b.id ? -1 : 1))
    .slice(0, count);
}
