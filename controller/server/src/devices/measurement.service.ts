import type { MeasurementMessage } from '@espalier/proto';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { newId } from '../common/ids.js';
import { type MeasurementQuery, MeasurementRepository, type Window } from './measurement.repository.js';
import { type DeviceLatency, summarizeDevices } from './summarize.js';

export type { DeviceLatency } from './summarize.js';

/** What devices measured. */
@Injectable()
export class MeasurementService {
  constructor(private readonly measurements: MeasurementRepository) {}

  /** Stores one window inside the transaction that also notes its message id. */
  async record(
    deviceId: string,
    profile: string | null,
    window: MeasurementMessage,
    manager: EntityManager,
  ): Promise<void> {
    const row = {
      ...window,
      id: newId('win', 12),
      deviceId,
      profile,
      startedAt: new Date(window.startedAt),
      endedAt: new Date(window.endedAt),
    };
    await this.measurements.insert(row, manager);
  }

  /** The newest windows of each (device, digest), newest first. */
  async windows(query: MeasurementQuery): Promise<Window[]> {
    return query.deviceIds?.length === 0 ? [] : this.measurements.windows(query);
  }

  /** Power modes in which devices measured last. */
  powerModes(deviceIds: readonly string[]): Promise<(string | null)[]> {
    return this.measurements.powerModes(deviceIds);
  }

  /** One figure for each (device, digest), from its newest window of the best class; see {@link summarizeDevices}. */
  async summary(query: MeasurementQuery): Promise<DeviceLatency[]> {
    return summarizeDevices(await this.windows(query));
  }
}
