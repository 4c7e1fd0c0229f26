import { type AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { mayAccess } from '@espalier/proto';
import { Aedes, type Client } from 'aedes';
import { listening } from '../common/listening.js';

/** Common name of the controller's own certificate: it may use every topic. */
export const CONTROLLER_NAME = 'espalier-controller';

export interface BrokerTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** The common name of a peer whose handshake is done; null for what carries none, and for a socket closed meanwhile. */
const nameOf = (connection: unknown): string | null => {
  const { CN } = (connection as TLSSocket).getPeerCertificate()?.subject ?? {};
  return typeof CN === 'string' ? CN : null;
};

const isAllowed = (name: string | undefined, action: 'publish' | 'subscribe', topic: string): boolean =>
  name === CONTROLLER_NAME || (name !== undefined && mayAccess(name, action, topic));

/**
 * The MQTT 3.1.1 broker in the controller's process, for fleets of some hundred devices. The certificate is the identity:
 * its common name must be the client id, and decides which topics there are [MQTT 3.1.1, 3.1.3.1, 5.4.2].
 */
export class EmbeddedBroker {
  readonly #sessions = new Map<string, Client>();

  private constructor(
    private readonly broker: Aedes,
    private readonly server: Server,
    readonly port: number,
  ) {
    broker.on('client', (client) => this.#sessions.set(client.id, client));
    broker.on('clientDisconnect', (client) => {
      if (this.#sessions.get(client.id) === client) this.#sessions.delete(client.id);
    });
  }

  /** @param isEnrolled whether a device may connect (removed ones may not) */
  static async open(
    tls: BrokerTls,
    host: string,
    port: number,
    isEnrolled: (deviceId: string) => Promise<boolean>,
  ): Promise<EmbeddedBroker> {
    // Taken once: a last will is published when its connection, and with it the certificate, is gone.
    const names = new WeakMap<Client, string>();
    const broker = await Aedes.createBroker({
      queueLimit: 1000,
      authenticate(client, _username, _password, done) {
        const name = nameOf(client.conn);
        if (name === null || (name !== CONTROLLER_NAME && client.id !== name)) return done(null, false);
        names.set(client, name);
        if (name === CONTROLLER_NAME) return done(null, true);
        isEnrolled(name).then(
          (known) => done(null, known),
          () => done(null, false),
        );
      },
      authorizePublish(client, packet, done) {
        const name = client ? names.get(client) : CONTROLLER_NAME;
        done(isAllowed(name, 'publish', packet.topic) ? null : new Error('not a topic of this device'));
      },
      authorizeSubscribe(client, subscription, done) {
        // null refuses one subscription with 0x80 and keeps the session [MQTT 3.1.1, 3.9.3].
        done(null, isAllowed(names.get(client), 'subscribe', subscription.topic) ? subscription : null);
      },
    });
    const server = createServer(
      { ...tls, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' },
      (socket) => void broker.handle(socket),
    );
    server.on('tlsClientError', () => undefined);
    await listening(server, host, port, 'MQTT', 'ESPALIER_MQTT_PORT');
    return new EmbeddedBroker(broker, server, (server.address() as AddressInfo).port);
  }

  /** Ends a device's session: a check at connect alone would let a removed one stay for as long as it likes. */
  disconnect(deviceId: string): void {
    this.#sessions.get(deviceId)?.close();
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.broker.close(() => resolve()));
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}
