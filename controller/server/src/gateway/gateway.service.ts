import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { Config } from '../common/config.js';
import { DomainEvents } from '../common/domain-events.js';
import { Periodic } from '../common/periodic.js';
import { RunningPorts } from '../common/running-ports.js';
import { DesiredService } from '../devices/desired.service.js';
import { DeviceRepository } from '../devices/device.repository.js';
import { DeviceService } from '../devices/device.service.js';
import { PresenceService } from '../devices/presence.service.js';
import { QualitySink } from '../devices/quality-sink.js';
import { SampleSink } from '../devices/sample-sink.js';
import { CertificateAuthority } from '../pki/authority.js';
import { EmbeddedBroker } from './embedded-broker.js';
import { GrpcGateway } from './grpc.gateway.js';
import { IngestService } from './ingest.service.js';
import { MqttGateway } from './mqtt.gateway.js';

const HOUSEKEEPING_MS = 30_000;

/** Opens the doors to devices in order, and closes them again. */
@Injectable()
export class GatewayService implements OnApplicationShutdown {
  readonly #logger = new Logger('gateway');
  readonly #housekeeping = new Periodic(
    HOUSEKEEPING_MS,
    () => this.#tidy(),
    (error) => this.#logger.error(error),
  );
  #broker: EmbeddedBroker | null = null;

  constructor(
    private readonly config: Config,
    private readonly ports: RunningPorts,
    private readonly authority: CertificateAuthority,
    private readonly mqtt: MqttGateway,
    private readonly grpc: GrpcGateway,
    private readonly ingest: IngestService,
    private readonly desired: DesiredService,
    private readonly devices: DeviceService,
    private readonly repository: DeviceRepository,
    private readonly presence: PresenceService,
    private readonly quality: QualitySink,
    private readonly samples: SampleSink,
    private readonly clock: Clock,
    private readonly domain: DomainEvents,
  ) {}

  /** @throws ESP_PORT_TAKEN */
  async open(): Promise<void> {
    await this.repository.allOffline();
    const { certificatePem: cert, keyPem: key } = await this.authority.serverIdentity([
      this.config.host,
      this.config.reachableHost,
    ]);
    if (!this.config.mqttUrl) {
      const tls = { ca: this.authority.caPem, cert, key };
      const { host, mqttPort } = this.config;
      this.#broker = await EmbeddedBroker.open(tls, host, mqttPort, (deviceId) => this.devices.isEnrolled(deviceId));
      this.ports.mqtt = this.#broker.port;
      this.domain.on('removed', ({ deviceId }) => this.#broker?.disconnect(deviceId));
    }
    await this.grpc.start();
    await this.mqtt.start({
      take: (deviceId, payload) => this.ingest.take(deviceId, payload),
      connected: async () => void (await this.desired.republishAll()),
    });
    this.#housekeeping.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#housekeeping.stop();
    await this.mqtt.stop();
    await this.grpc.stop();
    await this.#broker?.close();
  }

  async #tidy(): Promise<void> {
    await this.presence.expire(new Date(this.clock.now().getTime() - this.config.offlineAfterS * 1000));
    await this.ingest.forgetOld();
    await this.quality.forgetOld();
    await this.samples.tend();
  }
}
