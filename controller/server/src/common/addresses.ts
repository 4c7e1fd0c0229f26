import type { Config } from './config.js';
import type { RunningPorts } from './running-ports.js';

/** An IPv6 address stands in brackets in a URL [RFC 3986, 3.2.2]. */
export const hostPart = (host: string): string => (host.includes(':') ? `[${host}]` : host);

/** Where people and devices reach this controller. */
export interface Addresses {
  readonly web: string;
  /** host:port of mutual TLS, and of enrolment. */
  readonly grpc: string;
  readonly enrol: string;
  readonly mqtt: string;
}

/** The addresses handed out, once the ports are known. */
export function addressesOf(config: Config, ports: RunningPorts): Addresses {
  const host = hostPart(config.reachableHost);
  return {
    web: `http://${host}:${ports.http}`,
    grpc: `${host}:${ports.grpc}`,
    enrol: `${host}:${ports.enrol}`,
    mqtt: config.mqttUrl ?? `mqtts://${host}:${ports.mqtt}`,
  };
}
