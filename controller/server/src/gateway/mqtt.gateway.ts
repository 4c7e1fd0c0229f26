import { type DesiredState, errorBody, parseUpTopic, topics } from '@espalier/proto';
import { Injectable, Logger } from '@nestjs/common';
import mqtt, { type MqttClient } from 'mqtt';
import { Config } from '../common/config.js';
import { BrokerUnreachable } from '../common/errors.js';
import { RunningPorts } from '../common/running-ports.js';
import { DesiredPublisher } from '../devices/desired-publisher.js';
import { CertificateAuthority } from '../pki/authority.js';
import { CONTROLLER_NAME } from './embedded-broker.js';

export interface UpListener {
  /** A message arrived; resolves with its id once it may be acknowledged, or null. */
  take(deviceId: string, payload: Uint8Array): Promise<string | null>;
  /** The session with the broker is (again) there. */
  connected(): Promise<void>;
}

const RECONNECT_MS = 1000;

/** The controller's own session with the broker, embedded or external: one code for both. */
@Injectable()
export class MqttGateway extends DesiredPublisher {
  readonly #logger = new Logger('mqtt');
  #client: MqttClient | null = null;

  constructor(
    private readonly config: Config,
    private readonly ports: RunningPorts,
    private readonly authority: CertificateAuthority,
  ) {
    super();
  }

  get url(): string {
    return (
      this.config.mqttUrl ??
      `mqtts://${this.config.host === '0.0.0.0' ? '127.0.0.1' : this.config.host}:${this.ports.mqtt}`
    );
  }

  get connected(): boolean {
    return this.#client?.connected ?? false;
  }

  async start(listener: UpListener): Promise<void> {
    const { certificatePem, keyPem } = await this.authority.controllerIdentity();
    const client = mqtt.connect(this.url, {
      ...{ clientId: CONTROLLER_NAME, protocolVersion: 4, clean: false, keepalive: 30, reconnectPeriod: RECONNECT_MS },
      ...{ ca: this.authority.caPem, cert: certificatePem, key: keyPem, rejectUnauthorized: true },
    });
    this.#client = client;
    client.on('error', (error) => {
      const { code, message, action } = BrokerUnreachable({ url: this.url, reason: error.message });
      this.#logger.warn(`${code}: ${message} ${action}`);
    });
    client.on('message', (topic, payload) => void this.#receive(listener, topic, payload));
    client.on('connect', () => {
      const greet = async (): Promise<void> => {
        await client.subscribeAsync(topics.upAll(), { qos: 1 });
        await listener.connected();
      };
      greet().catch((error: unknown) => this.#logger.error(`after connecting: ${errorBody(error).message}`));
    });
  }

  /** While the broker is away the state waits in the database: it is published again at reconnect. */
  async publish(state: DesiredState): Promise<void> {
    if (!this.connected) return;
    await this.#client!.publishAsync(topics.desired(state.deviceId), JSON.stringify(state), { qos: 1, retain: true });
  }

  /** An empty retained message takes the retained one away [MQTT 3.1.1, 3.3.1.3]. */
  async forget(deviceId: string): Promise<void> {
    if (this.connected) await this.#client!.publishAsync(topics.desired(deviceId), '', { qos: 1, retain: true });
  }

  async stop(): Promise<void> {
    await this.#client?.endAsync();
  }

  async #receive(listener: UpListener, topic: string, payload: Uint8Array): Promise<void> {
    const parsed = parseUpTopic(topic);
    if (!parsed) return;
    const { deviceId } = parsed;
    try {
      const id = await listener.take(deviceId, payload);
      if (id === null) return;
      await this.#client?.publishAsync(topics.ack(deviceId), JSON.stringify({ version: 1, ids: [id] }), { qos: 1 });
    } catch (error) {
      this.#logger.warn(`a message of ${deviceId} was not taken: ${errorBody(error).message}`);
    }
  }
}
