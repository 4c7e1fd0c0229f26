import { timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { Config } from '../common/config.js';
import { NotSignedIn } from '../common/errors.js';
import { DeviceService } from '../devices/device.service.js';
import { statusOf } from '../devices/device-filter.js';
import { JobService } from '../jobs/job.service.js';
import { ModelService } from '../models/model.service.js';
import { QualityService } from '../quality/quality.service.js';
import { RolloutRepository } from '../rollouts/rollout.repository.js';

const LOOPBACK = /^(::1|(::ffff:)?127\.)/;

/** Prometheus metrics of the controller, read when they are asked for. */
@Injectable()
export class MetricsService {
  readonly #registry = new Registry();
  readonly #devices = new Gauge({
    name: 'espalier_devices',
    help: 'Enrolled devices by status',
    labelNames: ['status'],
    registers: [this.#registry],
  });
  readonly #rollouts = new Gauge({
    name: 'espalier_rollouts_live',
    help: 'Rollouts that are not over',
    labelNames: ['state'],
    registers: [this.#registry],
  });
  readonly #jobs = new Gauge({
    name: 'espalier_jobs',
    help: 'Newest hundred jobs by state',
    labelNames: ['state'],
    registers: [this.#registry],
  });
  readonly #drift = new Gauge({
    name: 'espalier_quality_drift',
    help: 'How far the answers of the last day are from the evaluation: population stability index, 0.25 is another distribution',
    labelNames: ['model', 'profile', 'figure'],
    registers: [this.#registry],
  });

  constructor(
    private readonly devices: DeviceService,
    private readonly rollouts: RolloutRepository,
    private readonly jobs: JobService,
    private readonly config: Config,
    private readonly quality: QualityService,
    private readonly models: ModelService,
  ) {
    collectDefaultMetrics({ register: this.#registry });
  }

  /** This machine may read them; others need the token. @throws ESP_NOT_SIGNED_IN */
  admit(address: string, authorization: string): void {
    if (LOOPBACK.test(address)) return;
    const wanted = Buffer.from(`Bearer ${this.config.metricsToken ?? ''}`);
    const given = Buffer.from(authorization);
    if (!this.config.metricsToken || given.length !== wanted.length || !timingSafeEqual(given, wanted))
      throw NotSignedIn({});
  }

  async text(): Promise<string> {
    for (const gauge of [this.#devices, this.#rollouts, this.#jobs, this.#drift]) gauge.reset();
    for (const device of await this.devices.find('')) this.#devices.inc({ status: statusOf(device) });
    for (const { state } of await this.rollouts.live()) this.#rollouts.inc({ state });
    for (const { state } of (await this.jobs.list(100, undefined)).items) this.#jobs.inc({ state });
    const names = new Map((await this.models.list()).map(({ id, name, version }) => [id, `${name} ${version}`]));
    for (const { modelId, profile, drift } of await this.quality.now()) {
      const labels = { model: names.get(modelId) ?? modelId, profile };
      for (const { name, index } of drift.figures) this.#drift.set({ ...labels, figure: name }, index);
    }
    return this.#registry.metrics();
  }
}
