import { readFileSync } from 'node:fs';
import type { SystemView } from '@espalier/proto/api';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { addressesOf } from '../common/addresses.js';
import { Clock } from '../common/clock.js';
import { Config } from '../common/config.js';
import { DatabaseInfo } from '../common/database.js';
import { RunningPorts } from '../common/running-ports.js';
import { DeviceService } from '../devices/device.service.js';
import { MqttGateway } from '../gateway/mqtt.gateway.js';
import { ModelService } from '../models/model.service.js';

export const VERSION = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

/** Whether the parts are there, and where. */
@Injectable()
export class SystemStatus {
  readonly #startedAt: Date;

  constructor(
    private readonly db: DataSource,
    private readonly info: DatabaseInfo,
    private readonly mqtt: MqttGateway,
    private readonly devices: DeviceService,
    private readonly models: ModelService,
    private readonly config: Config,
    private readonly ports: RunningPorts,
    clock: Clock,
  ) {
    this.#startedAt = clock.now();
  }

  async health(): Promise<{ ok: boolean; database: boolean; broker: boolean }> {
    const database = await this.db.query('SELECT 1').then(
      () => true,
      () => false,
    );
    const broker = this.mqtt.connected;
    return { ok: database && broker, database, broker };
  }

  async view(): Promise<SystemView> {
    const { database, broker } = await this.health();
    return {
      version: VERSION,
      startedAt: this.#startedAt.toISOString(),
      database: { kind: this.info.kind, ok: database },
      broker: { kind: this.config.mqttUrl ? 'external' : 'embedded', ok: broker, url: this.mqtt.url },
      grpcUrl: addressesOf(this.config, this.ports).grpc,
      empty: (await this.devices.find('')).length === 0 && (await this.models.list()).length === 0,
    };
  }
}
