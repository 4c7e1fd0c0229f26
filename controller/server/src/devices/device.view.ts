import type { DeviceRow, DeviceView, ExecutionView, MeasurementView, Served } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { NotFound } from '../common/errors.js';
import { DesiredService } from './desired.service.js';
import type { DeviceEntity } from './device.entity.js';
import { DeviceRepository } from './device.repository.js';
import { type DeviceRecord, DeviceService } from './device.service.js';
import { statusOf } from './device-filter.js';
import { MeasurementRepository } from './measurement.repository.js';
import { MeasurementService } from './measurement.service.js';
import { summarizeFleet } from './summarize.js';

type VariantLine = { id: string; digest: string; profile: string; method: string; model: string; modelVersion: string };
const WINDOWS_MAX = 2000;

/** Read model of the device pages. */
@Injectable()
export class DeviceViews {
  constructor(
    private readonly db: DataSource,
    private readonly devices: DeviceService,
    private readonly repository: DeviceRepository,
    private readonly desired: DesiredService,
    private readonly measurements: MeasurementService,
    private readonly windows: MeasurementRepository,
  ) {}

  async page(
    q: string,
    cursor: string | undefined,
    limit: number,
  ): Promise<{ items: DeviceRow[]; next: string | null; total: number }> {
    const all = await this.devices.find(q);
    const from = Number(cursor ?? 0) || 0;
    const rows = all.slice(from, from + limit);
    const variants = await this.#variants();
    const latencies = await this.measurements.summary({
      deviceIds: rows.map(({ id }) => id),
      scenario: 'single-stream',
    });
    const items = rows.map((device) => {
      const own = latencies.filter(({ deviceId, digest }) => deviceId === device.id && digest === device.servingDigest);
      return toRow(device, served(variants, device.servingDigest, device.profile), summarizeFleet(own));
    });
    return { items, next: from + limit < all.length ? String(from + limit) : null, total: all.length };
  }

  /** @throws ESP_NOT_FOUND */
  async one(id: string): Promise<DeviceView> {
    const device = await this.repository.find(id);
    if (!device) throw NotFound({ what: 'device', id });
    const [row] = (await this.page(`id:${id}`, undefined, 1)).items;
    const { target } = await this.desired.current(id);
    const variants = await this.#variants();
    const executions = await this.executions(id);
    const digest = device.servingDigest;
    const [newest] = digest === null ? [] : await this.windows.windows({ deviceIds: [id], digest });
    return {
      ...row!,
      ...{ facts: device.facts, matched: device.matched, endpoint: device.endpoint, error: device.error, executions },
      runtime: newest?.servedBy ?? null,
      previous: served(variants, device.previousDigest, device.profile),
      target: target && target.digest !== device.servingDigest ? served(variants, target.digest, device.profile) : null,
      waitsFor: waitsFor(device, executions[0]),
      certificateExpiresAt: device.certificateExpiresAt.toISOString(),
    };
  }

  async timeline(id: string, since: Date): Promise<MeasurementView[]> {
    const device = await this.devices.get(id);
    const variants = await this.#variants();
    return (await this.windows.ofDevice(id, since, WINDOWS_MAX)).map((window) => {
      const variant = served(variants, window.digest, device.profile);
      const { digest, scenario, batch, n, p50Us, p95Us, p99Us, rssBytes, temperatureC } = window;
      return {
        ...{
          at: window.endedAt.toISOString(),
          digest,
          scenario,
          batch,
          n,
          p50Us,
          p95Us,
          p99Us,
          rssBytes,
          temperatureC,
        },
        ...{ class: window.class, variantId: variant?.variantId ?? null, method: variant?.method ?? null },
      };
    });
  }

  /** Newest first. */
  executions(deviceId: string): Promise<ExecutionView[]> {
    return this.db.query(
      `SELECT "id", "rolloutId", "deviceId", "deviceName", "group", "state", "step", "progress", "variantId", "error", "updatedAt"
       FROM "execution" WHERE "deviceId" = $1 ORDER BY "updatedAt" DESC LIMIT 50`,
      [deviceId],
    );
  }

  #variants(): Promise<VariantLine[]> {
    return this.db.query(
      `SELECT v."id", v."digest", v."profile", v."method", m."name" AS "model", m."version" AS "modelVersion"
       FROM "variant" v JOIN "model" m ON m."id" = v."modelId" WHERE v."digest" IS NOT NULL ORDER BY v."createdAt" DESC`,
    );
  }
}

/** The variant of a digest: the one of the device's profile where several profiles share a float build. */
export function served(variants: readonly VariantLine[], digest: string | null, profile: string | null): Served | null {
  if (!digest) return null;
  const same = variants.filter((variant) => variant.digest === digest);
  const found = same.find((variant) => variant.profile === profile) ?? same[0];
  if (!found) return { variantId: null, digest, model: 'unknown', modelVersion: '', method: 'unknown' };
  return { variantId: found.id, digest, model: found.model, modelVersion: found.modelVersion, method: found.method };
}

const toRow = (device: DeviceRecord, serving: Served | null, latency: DeviceRow['latency']): DeviceRow => ({
  ...{ id: device.id, name: device.name, status: statusOf(device), profile: device.profile, serving, latency },
  board: device.facts?.board.model ?? device.facts?.cpu.model ?? null,
  lastSeenAt: device.lastSeenAt?.toISOString() ?? null,
  enrolledAt: device.enrolledAt.toISOString(),
});

function waitsFor(device: DeviceEntity, execution: ExecutionView | undefined): string | null {
  if (execution?.state === 'QUEUED') return device.online ? 'its turn in the rollout' : 'the device to come online';
  if (execution?.state === 'IN_PROGRESS') return `the device: ${execution.step ?? 'it has the offer'}`;
  return null;
}
